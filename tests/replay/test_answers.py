"""What is kept of a reply."""

from __future__ import annotations

import json

import pytest

from bridge.replay.answers import ShownHit, no_answer, read_answer
from bridge.replay.http_client import HttpReply
from tests.replay.small_systems import page


def test_a_page_of_hits() -> None:
    """Fate, reason, times and hits are what the reply and its headers say."""
    headers = {
        "x-rerank": "applied; window=100; model=m; scored=60; cut=deadline",
        "server-timing": 'upstream;dur=4.5, score;dur=2.0;desc="a", score;dur=1.5;desc="b", bridge;dur=0.5',
    }
    answer = read_answer(HttpReply(200, headers, page(["a", "b"])), 0.0123, 0.0111)
    assert (answer.fate, answer.reason, answer.total) == ("applied", "deadline", 2)
    assert (answer.latency_ms, answer.service_ms) == (12.3, 11.1)
    assert answer.parts_ms == {"upstream": 4.5, "score": 3.5, "bridge": 0.5}
    assert answer.ids == (("i", "a"), ("i", "b"))
    assert answer.hits[0] == ShownHit("i", "a", 9.0, "Title a")
    assert answer.is_answered


def test_what_an_explanation_adds() -> None:
    """Where a hit stood in the first stage, and what the model read of it."""
    told = {"_index": "i", "_id": "b", "first_stage": {"rank": 41, "score": 1.0}, "passage": "of b"}
    body = page(["a", "b"], rerank_bridge={"searches": [{"outcome": "applied", "hits": [told]}]})
    first, second = read_answer(HttpReply(200, {}, body), 0.0, 0.0).hits
    assert (first.first_stage_rank, second.first_stage_rank, second.passage) == (None, 41, "of b")


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ({"text": "a text", "name": "the name"}, "the name"),
        ({"n": 1, "text": ["first", "second"]}, "first"),
        ({"title": "  ", "n": 1}, "  "),
        ({}, ""),
        ("text", ""),
        ({"text": "x" * 500}, "x" * 120),
    ],
)
def test_the_title_of_a_hit(source: object, title: str) -> None:
    """A document is shown by the field that people know it by, or by its first text."""
    hits = [{"_index": "i", "_id": "a", "_score": None, "_source": source}]
    answer = read_answer(HttpReply(200, {}, json.dumps({"hits": {"hits": hits}}).encode()), 0.0, 0.0)
    assert (answer.hits[0].title, answer.hits[0].score) == (title, None)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error":{"type":"parsing_exception","reason":"a secret"},"status":400}', "parsing_exception"),
        (404, b'{"error":"no handler"}', "no handler"),
        (502, b"<html>", "status 502"),
        (200, b"[]", "not the reply of a search"),
        (200, b'{"took":1}', "not the reply of a search"),
        (200, b"\xff", "not the reply of a search"),
    ],
)
def test_errors_in_few_words(status: int, body: bytes, error: str) -> None:
    """An error is told by its kind, without what it quotes of the search."""
    answer = read_answer(HttpReply(status, {}, body), 0.0, 0.0)
    assert (answer.status, answer.error, answer.is_answered) == (status, error, False)


def test_no_answer_at_all() -> None:
    """A search that was not answered has a status that no reply has."""
    answer = no_answer("no answer within 1 s", 1.0, 1.0)
    assert (answer.status, answer.is_answered) == (0, False)
