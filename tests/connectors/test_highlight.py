"""The engine's fragments in the place of long texts: asked for, read, and taken out again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._highlight import FRAGMENT_CHARS, FRAGMENTS, Fragments, highlighting, with_fragments
from connectors._search_reply import splice_reply
from connectors.base import Policy, RankedHit, SearchPlan
from tests.connectors.replies import envelope, hit, parsed, planned, reply, written

POLICY = Policy(window=20, long_documents="highlight")
OWN: dict[str, Any] = {"pre_tags": [""], "post_tags": [""]}
SETTINGS = OWN | {"number_of_fragments": FRAGMENTS, "fragment_size": FRAGMENT_CHARS, "order": "score"}


def block(plan: SearchPlan) -> Any:
    return json.loads(plan.request.body).get("highlight")


@pytest.mark.parametrize(
    ("own", "fields", "sent", "asked"),
    [
        (None, ["title", "b*"], SETTINGS | {"fields": {"title": {}, "b*": {}}}, ()),
        (None, [], SETTINGS | {"fields": {"*": {}}}, ()),
        ({"fields": {"title": {}}}, ["title"], None, None),
        ({"fields": {"t*": {}}}, ["title"], None, None),
        ({"fields": {"title": {}}}, ["t*"], None, None),
        ({"fields": {"n": {}}}, ["title"], {"fields": {"n": {}, "title": SETTINGS}}, ("n",)),
        ({"fields": [{"n": {}}]}, ["title"], {"fields": [{"n": {}}, {"title": SETTINGS}]}, ("n",)),
        ({"order": "score"}, ["title"], {"order": "score", "fields": {"title": SETTINGS}}, ()),
        ({"fields": {"n": {}}}, [], None, None),
    ],
)  # fmt: skip
def test_what_is_asked_for(own: Any, fields: list[str], sent: Any, asked: tuple[str, ...] | None) -> None:
    """The fields that are read, unmarked, beside those that the client wants; nothing where it wants them itself."""
    found = highlighting(None if own is None else written(own), fields)
    assert (json.loads(bytes(found.block)) if found.block else None) == sent
    assert found.fragments.asked == asked


@pytest.mark.parametrize(
    ("highlight", "fragments", "expected"),
    [
        (None, Fragments(), {"title": ["a long title"], "n": [1]}),
        ({"title": ["one", "two"]}, Fragments(), {"title": ["one … two"], "n": [1]}),
        ({"title.en": ["one"]}, Fragments(), {"title": ["one"], "n": [1]}),
        ({"all": ["one"]}, Fragments(), {"title": ["a long title"], "n": [1], "all": ["one"]}),
        ({"title": ["<em>one</em> <b>two"]}, Fragments(("<em>", "</em>", "<b>")), {"title": ["one two"], "n": [1]}),
        ({"title": ["a &lt; b"]}, Fragments(is_html=True), {"title": ["a < b"], "n": [1]}),
        ({"title": [], "n": [5]}, Fragments(), {"title": ["a long title"], "n": [1]}),
        ({"title": "one"}, Fragments(), {"title": ["a long title"], "n": [1]}),
        ([], Fragments(), {"title": ["a long title"], "n": [1]}),
    ],
)
def test_fragments_stand_for_the_text(highlight: Any, fragments: Fragments, expected: Any) -> None:
    """Fragments without their marks in the place of their field; the whole text where there is none."""
    assert with_fragments({"title": ["a long title"], "n": [1]}, highlight, fragments) == expected


@pytest.mark.parametrize(
    ("own", "tags", "is_html"),
    [
        ({"fields": {"title": {}}}, {"<em>", "</em>"}, False),
        ({"pre_tags": ["<b>"], "post_tags": "</b>", "fields": {"title": {}}}, {"<em>", "</em>", "<b>", "</b>"}, False),
        ({"encoder": "html", "fields": {"title": {"pre_tags": ["_"]}}}, {"<em>", "</em>", "_"}, True),
    ],
)
def test_the_clients_own_marks_are_known(own: Any, tags: set[str], is_html: bool) -> None:  # noqa: FBT001 - a column of the table
    """All that the client has words marked with is taken out of what a model reads."""
    fragments = highlighting(written(own), ["title"]).fragments
    assert (set(fragments.tags), fragments.is_html) == (tags, is_html)


LONG = [
    hit("0", 3.0, _source={"title": "long fox 0"}, highlight={"title": ["fox 0"]}),
    hit("1", 2.0, _source={"title": "long fox 1"}),
    hit("2", 1.0, _source={"title": "long fox 2"}, highlight={"title": ["fox 2"], "n": ["7"]}),
]


def without(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != key}


def test_fragments_that_only_the_bridge_asked_for() -> None:
    """The model reads them, and the client gets each hit's other bytes."""
    plan = planned(policy=POLICY)
    answer = reply(envelope(LONG, 3.0))
    page = parsed(plan, answer)
    assert [candidate.text for candidate in page.candidates] == ["fox 0", "long fox 1", "fox 2"]
    assert splice_reply(plan, page, answer, None).body == written(
        envelope([without("highlight", entry) for entry in LONG], 3.0)
    )
    reordered = splice_reply(plan, page, answer, [RankedHit(place, 1.9 - place / 10) for place in (2, 1, 0)])
    assert [list(entry) for entry in json.loads(reordered.body)["hits"]["hits"]] == [
        ["_index", "_id", "_score", "_source"]
    ] * 3


def test_fragments_beside_those_of_the_client() -> None:
    """The client gets the fields that it wanted, and no highlight where it has none of them."""
    plan = planned({"highlight": {"fields": {"n": {}}}}, policy=POLICY)
    answer = reply(envelope(LONG, 3.0))
    spliced = splice_reply(plan, parsed(plan, answer), answer, None).body
    expected = [without("highlight", LONG[0]), LONG[1], LONG[2] | {"highlight": {"n": ["7"]}}]
    assert spliced == written(envelope(expected, 3.0))


def test_the_clients_own_fragments() -> None:
    """Where the client has the field highlighted, its fragments are read without marks, and stay."""
    plan = planned({"highlight": {"fields": {"title": {}}}}, policy=POLICY)
    marked = [entry | {"highlight": {"title": ["<em>fox</em>"]}} for entry in LONG[:1]] + LONG[1:]
    answer = reply(envelope(marked, 3.0))
    page = parsed(plan, answer)
    assert page.candidates[0].text == "fox"
    assert splice_reply(plan, page, answer, None).body == written(envelope(marked, 3.0))


@pytest.mark.parametrize(
    ("body", "query", "policy"),
    [
        ({}, "", Policy(window=20)),
        ({}, "", Policy(window=20, long_documents="best_passage")),
        ({"highlight": 5}, "", POLICY),
        ({"rank": {"rrf": {"window_size": 50}}}, "", POLICY),
        ({}, "?filter_path=hits.hits.highlight.n,hits.hits._id", POLICY),
    ],
)
def test_searches_without_fragments(body: Any, query: str, policy: Policy) -> None:
    """They are not asked for where whole texts are read, the engine would refuse, or the client filters them."""
    assert block(planned(body, query, policy)) == body.get("highlight")


def test_fragments_that_a_filter_hides() -> None:
    """A filter of the reply is widened for them, and they do not reach the client."""
    plan = planned({}, "?filter_path=hits.hits._id", POLICY)
    assert "hits.hits.highlight" in plan.request.target.replace("%2C", ",")
    hits = [without("_index", entry) for entry in LONG]
    answer = reply({"hits": {"hits": hits}})
    page = parsed(plan, answer)
    assert page.candidates[0].text == "fox 0"
    assert json.loads(splice_reply(plan, page, answer, None).body)["hits"]["hits"] == [
        {"_id": str(n)} for n in range(3)
    ]
