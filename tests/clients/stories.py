"""What all clients look for: short stories, of which the model likes others than the engine does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

COUNT = 60
SUBJECTS = ("cats that sleep", "dogs that run", "boats on a lake", "trains in the snow", "bread from the oven")
WORDS = "story of a kitten"
APPLIED = "applied"
MAPPINGS: dict[str, Any] = {"properties": {"text": {"type": "text"}, "number": {"type": "integer"}}}


def story(number: int) -> dict[str, Any]:
    filler = " about nothing else" * (number % 4)
    return {"text": f"{SUBJECTS[number % len(SUBJECTS)]}, story {number} of many{filler}", "number": number}


def actions(index: str, count: int = COUNT) -> Iterable[dict[str, Any]]:
    """The stories as the bulk helpers of all clients take them."""
    return ({"_index": index, "_id": str(number), "_source": story(number)} for number in range(count))


def body(words: str = WORDS, **more: object) -> dict[str, Any]:
    return {"query": {"match": {"text": words}}, **more}


def outcome(headers: Mapping[str, str]) -> str | None:
    """What a reply says of reranking, without the size of the window and the model; None where it says nothing."""
    value = headers.get("x-rerank")
    return value.partition("; window=")[0] if value is not None else None


def ids(reply: Mapping[str, Any]) -> list[str]:
    return [hit["_id"] for hit in reply["hits"]["hits"]]


def is_about_cats(found: str) -> bool:
    return int(found) % len(SUBJECTS) == 0


def same_but_for_the_order(bridged: Mapping[str, Any], direct: Mapping[str, Any]) -> None:
    """Every member but the hits, their scores and the time is equal; so are the documents of a page of them all."""
    assert _rest(bridged) == _rest(direct)
    assert ids(bridged) != ids(direct)
    assert _sources(bridged) == _sources(direct)
    assert is_about_cats(ids(bridged)[0])


def _rest(reply: Mapping[str, Any]) -> dict[str, Any]:
    hits = {name: value for name, value in reply["hits"].items() if name not in {"hits", "max_score"}}
    return {**reply, "hits": hits, "took": None}


def _sources(reply: Mapping[str, Any]) -> dict[str, Any]:
    return {hit["_id"]: hit["_source"] for hit in reply["hits"]["hits"]}
