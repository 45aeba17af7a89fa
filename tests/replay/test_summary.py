"""The figures of a replay, from its records."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from bridge.errors import ConfigError
from bridge.replay.answers import Answer, ShownHit
from bridge.replay.judged import JudgedPages
from bridge.replay.records import BrokenPlace, Record, Run
from bridge.replay.summary import Summary, SummaryOptions, summarise
from bridge.replay.verdict import EXIT_STATUS, Thresholds, judge, thresholds_of

RUN = Run(("log",), ("direct", "bridged"), {}, "2026-01-02T03:04:05")


def answer(ids: str, fate: str = "", reason: str = "", ms: float = 10.0, **members: object) -> Answer:
    hits = tuple(ShownHit("i", name, 1.0, f"Title {name}") for name in ids)
    return msgspec.structs.replace(Answer(200, ms, ms, fate=fate, reason=reason, total=len(ids), hits=hits), **members)


def record(number: int, first: Answer, second: Answer, **members: object) -> Record:
    made = Record(number, f"log:{number + 1}", f"key {number}", "/i/_search", (first, second), query_text=f"q{number}")
    return msgspec.structs.replace(made, **members)


def summary(records: Sequence[Record], broken: Sequence[BrokenPlace] = (), **options: object) -> Summary:
    return summarise(RUN, records, broken, SummaryOptions(**options))  # type: ignore[arg-type]


APPLIED = [record(n, answer("abc"), answer("bca", "applied", ms=20.0)) for n in range(40)]


def test_fates_and_failures() -> None:
    """Each search counts for as many as it stands for, under what the bridge said of it."""
    failed = Answer(500, 1.0, 1.0, error="x")
    records = [
        record(0, answer("ab"), answer("ba", "applied"), weight=3),
        record(1, answer("ab"), answer("ba", "applied", "deadline")),
        record(2, answer("ab"), answer("ab", "skipped", "sorted")),
        record(3, answer("ab"), failed),
        record(4, failed, failed),
        record(5, answer("ab"), answer("ab")),
    ]
    told = summary(records, [BrokenPlace(9, "log:10", "no JSON")])
    assert told.fates == {
        "applied": 3,
        "applied in part": 1,
        "skipped: sorted": 1,
        "failed": 2,
        "no X-Rerank header": 1,
    }
    assert (told.searches, told.distinct, told.broken) == (8, 6, 1)
    assert (told.systems[0].failed, told.systems[1].failed, told.failed) == (1, 2, 1)
    assert told.systems[1].errors == {"x": 2}
    assert told.touched == 0.5


def test_what_users_would_see() -> None:
    """Changes are those of the first page, over the searches that both answered, by their weight."""
    new = answer("zab", "applied")
    deep = msgspec.structs.replace(new, hits=(msgspec.structs.replace(new.hits[0], first_stage_rank=77), *new.hits[1:]))
    changes = summary(
        [record(0, answer("abc"), answer("abc", "applied")), record(1, answer("abc"), deep, weight=3)]
    ).changes
    assert (changes.compared, changes.unchanged, changes.top_changed, changes.other_totals) == (4, 1, 3, 0)
    assert changes.newcomers == pytest.approx(0.75)
    assert changes.newcomers_from == ((77, 3),)
    assert changes.moves == ((-1, 6), (0, 3))
    assert changes.overlap == pytest.approx((1 + 3 * 2 / 3) / 4)
    assert changes.kendall_tau == 1.0
    assert changes.similarities == ((5, 3), (10, 1))


def test_the_most_changed_queries_come_first_with_both_pages() -> None:
    """As many as wanted, those that change most; a page that stays as it is never."""
    records = [
        record(0, answer("abc"), answer("abc", "applied")),
        record(1, answer("abc"), answer("acb", "applied")),
        record(2, answer("abc"), answer("xyz", "applied")),
        record(3, answer("abc"), answer("cba", "applied")),
    ]
    changed = summary(records, changed=2).changed
    assert [query.query_text for query in changed] == ["q2", "q3"]
    assert [hit.id for hit in changed[0].first] == ["a", "b", "c"]
    assert [hit.title for hit in changed[0].second] == ["Title x", "Title y", "Title z"]


def test_the_order_of_the_records_does_not_matter() -> None:
    """Workers end in any order, and a resumed run in another: the figures are the same."""
    records = [record(n, answer("abc"), answer(("abc", "bca", "xab")[n % 3], "applied")) for n in range(30)]
    assert summary(records) == summary(records[::-1])


def test_times() -> None:
    """Percentiles of both systems, where the time went, and how many searches a second."""
    slow = answer("ab", "applied", ms=50.0, parts_ms={"score": 30.0})
    told = summary([record(n, answer("ab"), slow, sent_s=100.0 + n) for n in range(11)])
    direct, bridged = told.systems
    assert direct.latency_ms.p95 == pytest.approx(10.0, rel=0.01)
    assert bridged.latency_ms.max == pytest.approx(50.0, rel=0.01)
    assert bridged.parts_ms["score"].p50 == pytest.approx(30.0, rel=0.01)
    assert direct.searches_per_s == 1.1


def test_judged_queries_are_measured_on_both_pages() -> None:
    """A search is known by its id or by its words, whatever their case, and counts once."""
    pages = JudgedPages({"1": {"a": 1}, "2": {"c": 1}, "3": {"a": 1}}, {"2": "Red  Shoes"})
    records = [
        record(0, answer("abc"), answer("bac", "applied"), query_id="1"),
        record(1, answer("abc"), answer("cab", "applied"), query_text="red shoes"),
        record(2, answer("abc"), answer("abc", "applied"), query_text="RED shoes"),
    ]
    judged = summary(records, judged=pages).judged
    assert judged is not None
    assert judged.queries == 2
    reciprocal_rank = judged.measures[1]
    assert reciprocal_rank.measure == "RR@10"
    assert reciprocal_rank.first == pytest.approx((1 + 1 / 3) / 2)
    assert reciprocal_rank.second == pytest.approx((1 / 2 + 1) / 2)
    assert (reciprocal_rank.wins, reciprocal_rank.losses) == (1, 1)


def test_a_summary_can_be_read_again() -> None:
    """The JSON that is written holds all of it."""
    told = summary(APPLIED)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Summary) == told


@pytest.mark.parametrize(
    ("records", "word", "says"),
    [
        (APPLIED, "ready", "40 searches"),
        (APPLIED[:5], "look here first", "5 searches were sent"),
        (
            [*APPLIED, record(90, answer("a"), Answer(502, 1.0, 1.0, error="x"))],
            "do not switch",
            "1 more searches failed",
        ),
        ([record(n, answer("ab"), answer("ab")) for n in range(40)], "do not switch", "no X-Rerank header"),
        (
            [record(n, answer("ab"), answer("ab", "skipped", "sorted")) for n in range(40)],
            "look here first",
            "100.0% of the 40 searches with hits to order were not reranked (at most 50.0%) sorted 40",
        ),
        (
            [*APPLIED, *(record(n, answer(""), answer("", "skipped", "too-few-hits")) for n in range(50, 150))],
            "ready",
            "0.0% of the 40 searches with hits to order",
        ),
        ([*APPLIED, record(90, answer("ab"), answer("ab", "skipped", "internal"))], "look here first", "a mistake"),
        (
            [record(n, answer("ab"), answer("ba", "applied", ms=90.0)) for n in range(40)],
            "look here first",
            "9.0 times",
        ),
        (
            [record(n, answer("ab"), answer("ba", "applied", ms=900.0)) for n in range(40)],
            "do not switch",
            "from 20 on it stops",
        ),
        ([record(n, answer("ab"), answer("b", "applied")) for n in range(40)], "look here first", "another total"),
    ],
)
def test_verdicts(records: Sequence[Record], word: str, says: str) -> None:
    """The worst of the checks is the verdict, and says what it saw."""
    verdict = judge(summary(records))
    assert verdict.word == word
    assert any(says in check.says for check in verdict.checks if check.word == word)


def test_a_loss_on_judged_queries_stops() -> None:
    """Where the whole interval of the difference lies below zero, it is worse."""
    qrels = {str(n): {"a": 1} for n in range(40)}
    records = [record(n, answer("abc"), answer("cba", "applied"), query_id=str(n)) for n in range(40)]
    verdict = judge(summary(records, judged=JudgedPages(qrels, {})))
    assert verdict.word == "do not switch"
    assert EXIT_STATUS[verdict.word] == 3


def test_a_part_of_the_log_that_can_not_be_read() -> None:
    """Many broken lines are a reason to look, since the rest may be no sample."""
    broken = [BrokenPlace(n, "log", "x") for n in range(10)]
    assert judge(summary(APPLIED, broken)).word == "look here first"


def test_thresholds_are_settings() -> None:
    """Each can be set by its name; a mistake is told with all the names."""
    thresholds = thresholds_of(("p95_ratio_look=1.5", "least_searches=100"))
    assert thresholds == Thresholds(p95_ratio_look=1.5, least_searches=100)
    assert judge(summary(APPLIED), thresholds).word == "look here first"
    for wrong in ("p95=1", "p95_ratio_look", "least_searches=many"):
        with pytest.raises(ConfigError):
            thresholds_of((wrong,))
