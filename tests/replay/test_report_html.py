"""The HTML report of a replay, read as the page that it is."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from bridge.errors import DataError
from bridge.replay.answers import Answer, ShownHit
from bridge.replay.records import BrokenPlace, Record, Run
from bridge.replay.report_html import page, write_html
from bridge.replay.summary import Summary, summarise
from bridge.replay.verdict import Thresholds, judge
from tests.replay.made_run import RUN, whole_summary

_VOID = {"meta", "link", "input"}
FOREIGN = """</script><script>window.hacked=1</script><img src=x onerror="hacked=1">' " &amp; {{ 7 * 7 }} {% raw %}"""


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    inner: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.inner)

    def all(self, name: str = "", **wanted: str) -> Iterator[Element]:
        for part in self.inner:
            if isinstance(part, Element):
                if name in {"", part.name} and all(part.attributes.get(key) == value for key, value in wanted.items()):
                    yield part
                yield from part.all(name, **wanted)

    def one(self, name: str = "", **wanted: str) -> Element:
        (found,) = self.all(name, **wanted)
        return found


class _Reader(HTMLParser):
    """A strict reader: each element must be closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        assert len(element.attributes) == len(attrs), f"an attribute twice in {tag}"
        self.open[-1].inner.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inner.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].inner.append(data)


def read(html: str) -> Element:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1
    return reader.open[0]


def report(summary: Summary) -> Element:
    return read(page(summary, judge(summary)))


@pytest.fixture(scope="module")
def whole() -> Element:
    return report(whole_summary())


def plain(element: Element) -> str:
    return " ".join(element.text.split())


def rows(section: Element) -> list[list[str]]:
    return [[plain(cell) for cell in row.all() if cell.name in {"th", "td"}] for row in section.all("tr")]


def hit(name: str, **members: object) -> ShownHit:
    return msgspec.structs.replace(ShownHit("i", name, 1.5, f"Title {name}"), **members)


def record(first: tuple[ShownHit, ...], second: tuple[ShownHit, ...], **members: object) -> Record:
    answers = (Answer(200, 10.0, 10.0, hits=first), Answer(200, 20.0, 20.0, fate="applied", hits=second))
    return msgspec.structs.replace(Record(0, "log:1", "k", "/i/_search", answers, "words"), **members)


def test_the_verdict_comes_first_with_checks_and_thresholds(whole: Element) -> None:
    """It stands in the title and the header; the first section has each check, and every threshold by its name."""
    assert whole.one("head").one("title").text.startswith("do not switch")
    assert "do not switch" in plain(whole.one("header"))
    section = whole.one("section", id="verdict")
    assert next(whole.all("section")) is section
    assert ["✕ do not switch", "4 more searches failed through the bridge than without (none allowed)"] in rows(section)
    assert ["skipped_look", "0.5"] in rows(section)
    assert {row[0] for row in rows(section)} >= set(Thresholds.__struct_fields__)


def test_what_was_replayed(whole: Element) -> None:
    """Sources, systems with their addresses, when, how many, chosen how, and what could not be read."""
    said = plain(whole.one("section", id="replayed"))
    for part in (
        "ubi_queries.jsonl.gz",
        "direct at 127.0.0.1:9200",
        "bridged at 127.0.0.1:9400",
        "2026-11-24T16:20:00+00:00",
        "of which 400 were sent",
        "index products",
        "3 places of the log",
        "no JSON: unexpected end",
    ):
        assert part in said
    assert "None" not in said


def test_fates_have_counts_shares_and_what_their_reason_means(whole: Element) -> None:
    """Each a row with a bar; a reason with its sentence, an error with its system."""
    summary = whole_summary()
    section = whole.one("section", id="fates")
    found = {row[0]: row[1:3] for row in rows(section)}
    count = summary.fates["skipped: sorted"]
    assert found["skipped: sorted The order asked for is not by falling _score first."] == [
        f"{count:,}",
        f"{count / summary.searches:.1%}",
    ]
    assert found["applied"][0] == f"{summary.fates['applied']:,}"
    assert found["bridged: the connection was closed"] == ["4", "0.3%"]
    assert len(list(section.all("svg"))) == len(rows(section)) - 2


def test_what_users_would_see(whole: Element) -> None:
    """The means, and three charts, each with its figures as a table."""
    section = whole.one("section", id="changes")
    changes = whole_summary().changes
    tiles = {
        plain(tile.one("dt")): plain(tile.one("dd", **{"class": "figure"}))
        for tile in section.all("div")
        if "class" not in tile.attributes
    }
    assert tiles["First hit changed"] == f"{changes.top_changed / changes.compared:.1%}"
    assert tiles["Overlap@10"] == f"{changes.overlap:.3f}"
    assert tiles["Kendall's tau"] == f"{changes.kendall_tau:.3f}"
    assert tiles["Newcomers"] == f"{changes.newcomers:.2f}"
    figures = [rows(figure)[1:] for figure in section.all("figure")]
    similarities, moves, depths = ([int(count.replace(",", "")) for _, count in table] for table in figures)
    assert sum(similarities) == changes.compared
    assert sum(moves) == sum(count for _, count in changes.moves)
    assert sum(depths) == sum(count for _, count in changes.newcomers_from)
    assert figures[2][0][0] == "11\N{EN DASH}15"


def test_latency(whole: Element) -> None:
    """Percentiles of each system, a curve of each, and the parts of a search in the order in which they come."""
    section = whole.one("section", id="latency")
    bridged = whole_summary().systems[1]
    table = {row[0]: row[1:] for row in rows(section)}
    times = bridged.latency_ms
    assert table["bridged"][:5] == [
        f"{value:,.1f}" for value in (times.p50, times.p90, times.p95, times.p99, times.max)
    ]
    assert table["99"] == [
        f"{value:,.1f}" for system in whole_summary().systems for at, value in system.latency_ms.curve if at == 99
    ]
    assert "99.9" not in table, "399 searches can't tell it"
    parts = [name for name in table if name.startswith(("upstream", "score", "bridge"))][-3:]
    assert parts == ["upstream the engine, asked by the bridge", "score the models", "bridge the bridge itself"]


def test_judgments_and_clicks(whole: Element) -> None:
    """Measures with their intervals; what users acted on with its caveat and how likely places are looked at."""
    summary = whole_summary()
    assert summary.judged is not None
    assert summary.clicks is not None
    first = summary.judged.measures[0]
    assert first.interval is not None
    measure = rows(whole.one("section", id="judged"))[1]
    assert measure[:3] == ["nDCG@10", f"{first.first:.4f}", f"{first.second:.4f}"]
    assert measure[4] == f"{first.interval[0]:+.4f} to {first.interval[1]:+.4f}"
    clicks = whole.one("section", id="clicks")
    assert summary.clicks.caveat in plain(clicks)
    assert [
        "bought: gain, debiased",
        *(
            f"{value:.3f}"
            for value in (
                summary.clicks.measures[1].debiased_first or 0,
                summary.clicks.measures[1].debiased_second or 0,
            )
        ),
    ] in [[row[0], *row[2:]] for row in rows(clicks)]
    assert ["10", "0.159"] in rows(clicks)


def test_both_pages_side_by_side() -> None:
    """Each hit says where it goes or comes from, a newcomer from how deep, and by which passage it was judged."""
    first = tuple(hit(name) for name in "abcd")
    deep = hit("z", first_stage_rank=77, passage="what  the model\nread " * 40)
    second = (hit("c"), deep, hit("a", title=""), hit("d"), hit("b", index="other"))
    told = report(summarise(RUN, [record(first, second, weight=1_200)], ()))
    query = told.one("details", id="q0")
    assert "words \N{MULTIPLICATION SIGN}1,200 · change" in plain(query.one("summary"))
    assert "2 new · first hit changed" in plain(query.one("summary"))
    before, after = query.all("ol")
    assert [plain(one) for one in before.all("li") if one.text] == [
        "Title a ▼ down to 3 i/a · score 1.5",
        "Title b ✕ leaves the page i/b · score 1.5",
        "Title c ▲ up to 1 i/c · score 1.5",
        "Title d = stays i/d · score 1.5",
    ]
    came = [plain(one) for one in after.all("li")]
    assert came[0] == "Title c ▲ up 2, from 3 i/c · score 1.5"
    assert came[1].startswith("Title z + new, from rank 77 i/z · score 1.5 what the model read what")
    assert came[1].endswith("…")
    assert came[2] == "i/a ▼ down 2, from 1 i/a · score 1.5"
    assert came[4] == "Title b + new other/b · score 1.5"
    assert "/i/_search, log:1" in plain(query)


def test_foreign_text_stays_text() -> None:
    """Titles, queries and all else that others wrote appear as they are; the page has its own script and no other."""
    bad = hit(FOREIGN, title=FOREIGN, passage=FOREIGN, index=FOREIGN)
    run = Run((FOREIGN,), (FOREIGN, f"b {FOREIGN}"), {"index": FOREIGN, f"system {FOREIGN}": FOREIGN}, FOREIGN)
    made = [
        record((hit("a"), bad), (bad, hit("a")), query_text=FOREIGN, target=FOREIGN, place=FOREIGN),
        msgspec.structs.replace(
            record((), ()),
            number=1,
            answers=(Answer(0, 1, 1, error=FOREIGN), Answer(200, 1, 1, fate="skipped", reason=FOREIGN)),
        ),
    ]
    told = report(summarise(run, made, [BrokenPlace(5, FOREIGN, FOREIGN)]))
    assert [script.text for script in told.all("script")] == [own("report.js")]
    assert not list(told.all("img"))
    assert not [
        name for element in told.all() for name in element.attributes if name.startswith("on") or name == "style"
    ]
    query = told.one("details", id="q0")
    for said in (
        query.one("summary"),
        query.one("p"),
        told.one("h1"),
        told.one("section", id="fates"),
        *query.all("h3"),
    ):
        assert FOREIGN in said.text
    assert FOREIGN in next(query.all("li", **{"data-hit": f"{FOREIGN}/{FOREIGN}"})).text


def own(name: str) -> str:
    return (Path(__file__).parents[2] / "bridge/replay" / name).read_text(encoding="utf-8")


def test_the_page_loads_nothing(whole: Element) -> None:
    """Its policy forbids all but its own style and script, known by their digests; nothing refers elsewhere."""
    policy = whole.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"] or ""
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for rule, name in (("style-src", "style"), ("script-src", "script")):
        digest = b64encode(sha256(whole.one(name).text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not re.search(r"url\(|@import|https?:", whole.one("style").text + whole.one("script").text)
    refers = [
        element.attributes[name] or ""
        for element in whole.all()
        for name in ("href", "src")
        if name in element.attributes
    ]
    assert {target for target in refers if not target.startswith("#")} == {"data:,"}


def test_names_within_the_page_fit(whole: Element) -> None:
    """No id twice; each link, label and description points to something that is there; each table says what it is."""
    ids = [element.attributes["id"] for element in whole.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in whole.all():
        named = (element.attributes.get("aria-labelledby") or "").split()
        href = element.attributes.get("href") or ""
        assert {*named, *([href[1:]] if href.startswith("#") else [])} <= set(ids)
    assert all(plain(table.one("caption")) for table in whole.all("table"))
    assert all(head.attributes.get("scope") in {"col", "row"} for head in whole.all("th"))


def test_a_replay_that_shows_little() -> None:
    """Without judgments, events, changes or even searches there is still a page, and it says so."""
    told = report(summarise(RUN, [], ()))
    assert [section.attributes["id"] for section in told.all("section")] == [
        "verdict",
        "replayed",
        "fates",
        "changes",
        "latency",
        "queries",
    ]
    assert "nothing to compare" in plain(told.one("section", id="changes"))
    assert "No page changed." in plain(told.one("section", id="queries"))
    assert not list(told.all("script"))


def test_more_than_two_systems_have_a_curve_each() -> None:
    """All are in the table and the plot; the first and the last are compared."""
    answers = tuple(Answer(200, ms, ms, hits=(hit("a"), hit("b"))) for ms in (10.0, 20.0, 30.0))
    made = record((), (), answers=answers)
    run = msgspec.structs.replace(RUN, systems=("direct", "small model", "large model"))
    latency = report(summarise(run, [made], ())).one("section", id="latency")
    assert [row[0] for row in rows(latency)[1:4]] == ["direct", "small model", "large model"]
    assert {"direct", "small model", "large model"} <= {text.text for text in latency.all("text")}


def test_much_of_one_kind_does_not_fill_the_page() -> None:
    """Errors that all differ are told together but for the most frequent; a query as long as a page has an end."""
    failed = [
        record((), (), answers=(Answer(200, 1.0, 1.0), Answer(500, 1.0, 1.0, error=f"error {n}")), number=n)
        for n in range(30)
    ]
    long = record((hit("a"), hit("b")), (hit("b"), hit("a")), query_text="long words " * 500, number=99)
    told = report(summarise(RUN, [*failed, long], ()))
    fates = rows(told.one("section", id="fates"))
    assert ["bridged: 10 other errors", "10"] in [row[:2] for row in fates]
    assert len(fates) == 2 + 2 + 21
    assert len(plain(told.one("details", id="q99").one("summary"))) < 400


def test_the_file(tmp_path: Path) -> None:
    """It is UTF-8, small, and written even where a name of the log is no text; a folder that is not there is told."""
    summary = whole_summary()
    file = tmp_path / "report.html"
    write_html(
        msgspec.structs.replace(summary, run=msgspec.structs.replace(RUN, sources=("log\udcff",))), judge(summary), file
    )
    assert "log?" in read(file.read_text(encoding="utf-8")).one("head").one("title").text
    assert file.stat().st_size < 1_500_000
    with pytest.raises(DataError, match="can't be written"):
        write_html(summary, judge(summary), tmp_path / "none" / "report.html")
