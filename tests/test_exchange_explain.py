"""What a search that asks to be explained is told, and that it is else the reply that it would be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bridge.explanation import MAX_PASSAGE_CHARS, of_search
from bridge.models.base import Tokens
from bridge.outcome import Scored
from bridge.ranking import Rule, StageScores, Window
from connectors.base import Candidate, HitPage, PassThrough, Policy, RankedHit, Reply, Request, SearchPlan
from connectors.elasticsearch import Elasticsearch
from tests.doubles.small_exchange import ONE_BY_ONE, exchange
from tests.doubles.small_models import GivenModel, HeldModel, LengthModel
from tests.doubles.small_sender import SmallSender, json_reply, search_request


def explaining(**members: Any) -> Request:
    return with_words(search_request(**members), "explain")


def with_words(request: Request, words: str) -> Request:
    return replace(request, headers=(*request.headers, ("x-rerank", words)))


def explanation(reply: Reply) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(reply.body)["rerank_bridge"]
    return told


def only(reply: Reply) -> dict[str, Any]:
    (search,) = explanation(reply)["searches"]
    assert isinstance(search, dict)
    return search


async def test_a_reranked_search_is_explained() -> None:
    """The words, the fields, the window, the model, and where each hit of the page came from."""
    async with exchange() as small:
        small.sender.hits = 6
        told = only(await small.search(explaining(**{"from": 1, "size": 4})))
        hits = told.pop("hits")
        assert told.pop("stages")[0].pop("milliseconds") >= 0
        assert told == {
            "outcome": "applied",
            "query_text": "quick fox",
            "fields": ["title"],
            "indices": ["index"],
            "from": 1,
            "size": 4,
            "window": 4,
            "fetched": 5,
        }
        assert [hit["_id"] for hit in hits] == ["2", "1", "0", "4"]
        assert [hit["rank"] for hit in hits] == [2, 3, 4, 5]
        assert [hit["first_stage"] for hit in hits] == [
            {"rank": 3, "score": 8.8},
            {"rank": 2, "score": 8.9},
            {"rank": 1, "score": 9.0},
            {"rank": 5, "score": 8.6},
        ]
        models = [[{"model": "small", "score": score}] for score in (3.0, 2.0, 1.0)]
        assert [hit.get("models", []) for hit in hits] == [*models, []]
        assert [hit.get("passage", "") for hit in hits] == ["xxx", "xx", "x", ""]


async def test_the_scores_are_those_of_the_reply() -> None:
    """Each hit is told with the score that stands beside it in the reply."""
    async with exchange() as small:
        reply = await small.search(explaining())
        shown = [hit["_score"] for hit in json.loads(reply.body)["hits"]["hits"]]
        assert [hit["score"] for hit in only(reply)["hits"]] == pytest.approx(shown, abs=1e-6)


@pytest.mark.parametrize("words", ["explain", " EXPLAIN ", "explain, verbose"])
async def test_the_member_is_all_that_is_added(words: str) -> None:
    """Without the header no byte of it is there; with it, every other byte of the body is the same."""
    async with exchange() as small:
        plain, explained = await small.search(), await small.search(with_words(search_request(), words))
        member = explained.body[explained.body.index(b',"rerank_bridge":') : -1]
        assert explained.body.replace(member, b"") == plain.body
        assert explained.header("content-length") == str(len(explained.body))
        assert explained.header("x-rerank") == plain.header("x-rerank")
        assert b"rerank_bridge" not in plain.body


async def test_times_are_told() -> None:
    """The milliseconds of engine, models and bridge are those of the clock that was given."""

    class SlowSender(SmallSender):
        def page(self, request: Request) -> Reply:
            small.now[0] += 0.25
            return super().page(request)

    async with exchange(SlowSender()) as small:
        assert explanation(await small.search(explaining()))["milliseconds"] == {
            "engine": 250.0,
            "models": 0.0,
            "bridge": 0.0,
        }


async def test_several_stages() -> None:
    """Each stage tells how it orders and how much it scored; a hit has the scores of the models that read it."""
    second = GivenModel(name="second", revision="2", answers=[[1.0, 2.0]])
    async with exchange(None, LengthModel(), second) as small:
        told = only(await small.search(explaining()))
    assert [(stage["model"], stage["ranking"], stage["scored"]) for stage in told["stages"]] == [
        ("small", "model", 4),
        ("second", "model", 2),
    ]
    assert [[entry["model"] for entry in hit.get("models", [])] for hit in told["hits"]] == [
        ["small", "second"],
        ["small", "second"],
        ["small"],
        ["small"],
        [],
    ]


async def test_a_deadline_that_cut_the_scoring() -> None:
    """The stage says that it was cut and what it scored by then."""
    model = HeldModel()
    async with exchange(None, model, limits=ONE_BY_ONE, timeout_s=1.0) as small:
        model.go_on(2)
        (stage,) = only(await small.search(explaining()))["stages"]
        model.go_on()
    assert (stage["scored"], stage["cut"]) == (2, "deadline")


async def test_a_search_that_no_model_could_order() -> None:
    """The reason has its sentence, and the stage that failed is named."""
    async with exchange(None, GivenModel(answers=[RuntimeError()])) as small:
        reply = await small.search(explaining())
    told = only(reply)
    assert (told["outcome"], told["reason"], told["query_text"]) == ("skipped", "model-failed", "quick fox")
    assert told["because"].startswith("The model raised an error")
    assert [(stage["model"], stage["cut"]) for stage in told["stages"]] == [("small", "model-failed")]
    assert "hits" not in told
    timing = reply.header("server-timing")
    assert timing is not None
    assert "score" not in timing


async def test_hits_that_can_not_be_ranked() -> None:
    """What the reply showed of the search to be impossible is told beside what was read of it."""
    async with exchange(SmallSender(hits=1)) as small:
        told = only(await small.search(explaining()))
    assert (told["reason"], told["fields"], told["fetched"]) == ("too-few-hits", ["title"], 1)


async def test_what_is_passed_on_knows_what_was_read() -> None:
    """Where the engine has to be asked anew, the words that were read go with the reason."""
    async with exchange(SmallSender(answers=[json_reply(b'{"hits":')])) as small:
        outcome = await small.exchange.search(explaining())
        assert isinstance(outcome, PassThrough)
        assert outcome.read is not None
        assert outcome.read.query_text == "quick fox"


async def test_an_error_of_the_engine_stays_as_it_is() -> None:
    """A struggling engine's error has no member of ours."""
    answer = json_reply(b'{"error": "busy" }', 503)
    async with exchange(SmallSender(answers=[answer])) as small:
        assert (await small.search(explaining())).body == answer.body


async def test_no_more_is_told_than_is_shown() -> None:
    """Neither names nor texts nor scores of hits on other pages are told."""
    async with exchange() as small:
        reply = await small.search(explaining(size=1))
        (hit,) = only(reply)["hits"]
        assert hit["_id"] == "3"
        told = json.dumps(explanation(reply))
    assert [f'"{name}"' in told for name in range(5)] == [False, False, False, True, False]


async def test_hits_without_names() -> None:
    """Where the client left ``_id`` out of the reply, it is left out of the explanation."""

    class NamelessSender(SmallSender):
        def hit(self, number: int) -> dict[str, Any]:
            whole = super().hit(number)
            return {key: value for key, value in whole.items() if key != "_id"}

    async with exchange(NamelessSender()) as small:
        assert all("_id" not in hit for hit in only(await small.search(explaining()))["hits"])


async def test_a_long_text_is_cut() -> None:
    """Of a text, what a person reads at a glance is told."""

    class LongSender(SmallSender):
        def hit(self, number: int) -> dict[str, Any]:
            return super().hit(number) | {"_source": {"title": "ä" * 1_000}} if number else super().hit(number)

    async with exchange(LongSender()) as small:
        told = only(await small.search(explaining()))
    assert max(len(hit.get("passage", "")) for hit in told["hits"]) == MAX_PASSAGE_CHARS


def test_the_passage_that_decided_is_told() -> None:
    """Of a long text that is read in passages, the one with the best score; of another one, its beginning."""
    texts = ("First. Then " + "x" * 1_000, "Short.", "Another one.", "")
    page = HitPage(
        (Candidate(texts[0], is_pinned=True), Candidate(texts[1], is_exact=True), *map(Candidate, texts[2:])),
        (4.0, 3.0, 2.0, 1.0),
    )
    search = SearchPlan(search_request(), "words", (), 0, 10, Policy())
    first = StageScores((1.0, 2.0, 3.0, None), Rule(), "first", passages=((0, 6), None, (0, 7), None))
    last = StageScores((1.0, 2.0, None, None), Rule("blend", 0.7), "last", passages=((7, 1_012), None, None, None))
    order = [RankedHit(place, 1.9 - place / 10) for place in range(4)]
    scored = Scored(None, (first, last), order, Window("words", texts, page.first_stage_scores))
    told = of_search(search, page, scored, lambda *_: {})
    assert [hit.passage for hit in told.hits] == ["Then " + "x" * (MAX_PASSAGE_CHARS - 5), "Short.", "Another", ""]
    assert [hit.protected for hit in told.hits] == ["pinned", "exact", None, None]
    assert [stage.blend_weight for stage in told.stages] == [None, 0.7]


async def test_an_instruction_whose_bytes_are_no_text() -> None:
    """A header field may hold any bytes: what they are is told as well as JSON can."""
    request = explaining()
    headers = (*request.headers, ("X-Rerank-Instruction", "caf\udce9"))

    class DeafModel(LengthModel):
        def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
            return super().read(query_text, texts, instruction.encode(errors="replace").decode())

    async with exchange(None, DeafModel()) as small:
        told = only(await small.search(replace(request, headers=headers)))
    assert told["instruction"] == "caf?"


class ForgetfulConnector(Elasticsearch):
    """Does not know the names of its hits."""

    def identity(self, page: HitPage, place: int) -> Mapping[str, object]:
        raise LookupError(page, place)


async def test_a_mistake_in_explaining_costs_the_explanation_alone() -> None:
    """The search is reranked all the same."""
    async with exchange(connector=ForgetfulConnector()) as small:
        reply, plain = await small.search(explaining()), await small.search()
    assert reply.body == plain.body
    assert reply.header("x-rerank") == "applied; window=4; model=small"


async def test_the_engines_scores_are_kept() -> None:
    """With ``score_policy: keep`` the explanation has the score of the order, and the reply the engine's."""
    async with exchange(policy=Policy(window=4, score_policy="keep")) as small:
        reply = await small.search(explaining())
    told = only(reply)["hits"]
    assert [hit["first_stage"]["score"] for hit in told] == [
        hit["_score"] for hit in json.loads(reply.body)["hits"]["hits"]
    ]
    assert [hit["score"] for hit in told] == sorted((hit["score"] for hit in told), reverse=True)
