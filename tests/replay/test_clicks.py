"""What events say of two orders."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import DataError
from bridge.replay.answers import Answer, ShownHit
from bridge.replay.clicks import Clicked, ClickedPages, Clicks, read_clicks
from bridge.replay.position_bias import Impression, examined
from bridge.replay.records import Record


def page(ids: str) -> Answer:
    return Answer(200, 1.0, 1.0, hits=tuple(ShownHit("i", name, 1.0, object_id=name.upper()) for name in ids))


def measured(first: str, second: str, events: Sequence[Clicked], looked_at: Mapping[int, float]) -> Any:
    pages = ClickedPages(Clicks({"q": events}, looked_at))
    pages.add(Record(0, "p", "k", "/_search", (page(first), page(second)), query_id="q"))
    pages.add(Record(1, "p", "k", "/_search", (page(first), page(second)), query_id="without events"))
    return pages.measures().measures


def test_clicked_hits_on_both_pages() -> None:
    """Their share, the first of them, and all of them by rank, where each system put them."""
    (clicked,) = measured("abcd", "dcax", [Clicked("D", "clicked", 4), Clicked("B", "clicked", 2)], {})
    assert (clicked.kind, clicked.searches) == ("clicked", 1)
    assert (clicked.found_first, clicked.found_second) == (1.0, 0.5)
    assert (clicked.reciprocal_rank_first, clicked.reciprocal_rank_second) == (0.5, 1.0)
    best = 1 + 1 / math.log2(3)
    assert clicked.ndcg_first == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert clicked.ndcg_second == pytest.approx(1 / best)
    assert (clicked.debiased_first, clicked.debiased_second) == (None, None)


def test_clicks_at_places_that_few_look_at_weigh_more() -> None:
    """A click on the fourth hit, where one in five looks, counts five times one on the first."""
    events = [Clicked("A", "bought", 1), Clicked("D", "bought", 4)]
    (bought,) = measured("abcd", "dabc", events, {1: 1.0, 4: 0.2})
    assert bought.debiased_first == pytest.approx((1 * 1 + 5 / math.log2(5)) / 6)
    assert bought.debiased_second == pytest.approx((1 / math.log2(3) + 5 * 1) / 6)


def log(examined_at: Sequence[float], attractive: Mapping[str, float], searches: int) -> Iterator[Impression]:
    """Clicks of the position-based model on pages in many orders."""
    generator = random.Random(7)
    hits = list(attractive)
    for _ in range(searches):
        generator.shuffle(hits)
        for rank, hit in enumerate(hits, start=1):
            seen = generator.random() < examined_at[rank - 1]
            yield Impression("q", hit, rank, seen and generator.random() < attractive[hit])


def test_propensities_are_found_from_clicks_alone() -> None:
    """From a log made by the model, the estimate finds how likely each place was looked at."""
    truth = [1.0, 0.6, 0.35, 0.2]
    found = examined(log(truth, {"a": 0.8, "b": 0.5, "c": 0.3, "d": 0.1}, 20_000))
    assert list(found) == [1, 2, 3, 4]
    assert list(found.values()) == pytest.approx(truth, abs=0.04)


def test_without_a_log_there_are_no_propensities() -> None:
    """Nothing shown, nothing estimated; a place that nobody clicks counts as rarely looked at."""
    assert examined([]) == {}
    assert examined([Impression("q", "a", 1, is_clicked=True), Impression("q", "b", 2, is_clicked=False)])[2] == 0.1


def write(file: Path, entries: Sequence[object]) -> Path:
    content = "\n".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in entries).encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file


def event(action: str, query_id: str, object_id: str | None, ordinal: int = 1) -> dict[str, Any]:
    attributes: dict[str, Any] = {"position": {"ordinal": ordinal}}
    if object_id is not None:
        attributes["object"] = {"object_id": object_id}
    return {"action_name": action, "query_id": query_id, "event_attributes": attributes}


def test_events_are_read(tmp_path: Path) -> None:
    """Clicks and purchases of a hit count, other events and broken lines do not."""
    events = write(
        tmp_path / "events.ndjson.gz",
        [
            event("item_click", "q1", "A", 3),
            {"_index": "ubi_events", "_source": event("purchase", "q1", "B")},
            event("product_hover", "q1", "C"),
            event("item_click", "q2", None),
            "{broken",
        ],
    )
    queries = write(
        tmp_path / "queries.ndjson",
        [{"query_id": "q1", "user_query": "w", "query_response_object_ids": ["A", "B", "C"]}],
    )
    clicks = read_clicks(events, queries)
    assert clicks.by_query == {"q1": [Clicked("A", "clicked", 3), Clicked("B", "bought", 1)]}
    assert list(clicks.looked_at) == [1, 2, 3]
    assert read_clicks(events).looked_at == {}


def test_what_is_no_log_of_events(tmp_path: Path) -> None:
    """A file of something else, or none, is an error and no empty result."""
    with pytest.raises(DataError, match="no line of User Behavior Insights"):
        read_clicks(write(tmp_path / "x", ["a", "b"]))
    with pytest.raises(DataError, match="can't be read"):
        read_clicks(tmp_path / "none")
