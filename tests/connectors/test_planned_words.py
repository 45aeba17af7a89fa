"""Words that are read of a search only where something else agrees: the mapping, the configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._dialect import Dialect
from connectors._search_body import plan_search
from connectors.base import (
    PassThrough,
    Policy,
    Question,
    Questions,
    Reason,
    Reply,
    Request,
    SearchPlan,
    TextField,
)

JSON = (("Content-Type", "application/json"),)
KINDS = {"title": {"type": "text"}, "status": {"type": "keyword"}, "other": {"type": "alias", "path": "title"}}
MAPPING: Any = {"i": {"mappings": {"properties": KINDS}}}


def planned(body: Any, policy: Policy, mapping: Any = MAPPING, query: str = "") -> tuple[str, list[str]]:
    """The words, or the reason, and the paths that the engine was asked for."""
    request = Request("POST", f"/i/_search{query}", JSON, json.dumps(body).encode())
    answers: dict[Question, Reply | None] = {}
    while isinstance(plan := plan_search(request, policy, ("i",), answers, Dialect()), Questions):
        for question in plan.questions:
            answers[question] = None if mapping is None else Reply(200, "OK", JSON, json.dumps(mapping).encode())
    words = plan.query_text if isinstance(plan, SearchPlan) else plan.reason
    assert isinstance(plan, SearchPlan | PassThrough)
    return words, [question.request.target for question in answers]


@pytest.mark.parametrize("text_fields", [(), (TextField("title"),)])
@pytest.mark.parametrize(
    ("field", "mapping", "words"),
    [
        ("title", MAPPING, "fox"),
        ("other", MAPPING, "fox"),
        ("status", MAPPING, Reason.NO_QUERY_TEXT),
        ("nosuch", MAPPING, Reason.NO_QUERY_TEXT),
        ("title", None, Reason.NO_QUERY_TEXT),
    ],
)
def test_a_term_is_read_of_text_alone(field: str, mapping: Any, words: str, text_fields: tuple[TextField, ...]) -> None:
    """A term on a field of codes selects, whatever it looks like; so does one where the mapping can't be had."""
    policy = Policy(window=20, text_fields=text_fields)
    assert planned({"query": {"term": {field: "fox"}}}, policy, mapping) == (words, ["/i/_mapping"])


def test_other_words_ask_for_no_mapping() -> None:
    """What stands in a clause of full text is what the user means, beside terms as well."""
    query = {"bool": {"must": [{"term": {"status": "published"}}, {"match": {"title": "fox"}}]}}
    assert planned({"query": query}, Policy(window=20)) == ("fox", [])


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"query": {"match": {"title": "wireless h"}}}, ""),
        ({"retriever": {"standard": {"query": {"match": {"title": "wireless h"}}}}}, ""),
        ({"query": {"bool": {"filter": {"match": {"title": "wireless h"}}}}}, ""),
        ({}, "?q=wireless+h&df=title"),
    ],
)
def test_letters_of_a_last_word(body: Any, query: str) -> None:
    """By default a single letter at the end is being typed; where the configuration says so, it is a word."""
    assert planned(body, Policy(promote=True), query=query) == (Reason.AUTOCOMPLETE, [])
    assert planned(body, Policy(promote=True, min_last_word_letters=0), query=query)[0] == "wireless h"
