"""Pages partition the window: a search walked page by page shows each hit once, with falling scores."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bridge.ranking import Rule, order
from connectors._search_reply import splice_reply
from connectors.base import Policy
from tests.connectors.replies import envelope, parsed, planned, reply, scored_hits

MODEL_SCORES = st.none() | st.floats(-10, 10) | st.sampled_from([0.0, 1.0])


class Case(NamedTuple):
    """A first stage, a model's scores of its window, and a page size."""

    first_stage: list[float]
    model: list[float | None]
    window: int
    size: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    first_stage = sorted(draw(st.lists(st.floats(0, 50, width=32), min_size=2, max_size=20)), reverse=True)
    window = draw(st.integers(2, 12))
    scored = min(window, len(first_stage))
    model = draw(st.lists(MODEL_SCORES, min_size=scored, max_size=scored))
    return Case(first_stage, model, window, draw(st.integers(1, 9)))


def page(case: Case, start: int, rule: Rule) -> list[dict[str, Any]]:
    """One page as the client sees it: the engine answers the widened request, the window is ordered, the page cut."""
    plan = planned({"from": start, "size": case.size}, policy=Policy(window=case.window))
    fetched = json.loads(plan.request.body)["size"]
    answer = reply(envelope(scored_hits(case.first_stage)[:fetched], case.first_stage[0]))
    ranked = order(parsed(plan, answer).first_stage_scores, case.model, rule)
    hits: list[dict[str, Any]] = json.loads(splice_reply(plan, parsed(plan, answer), answer, ranked).body)["hits"][
        "hits"
    ]
    return hits


def walk(case: Case, rule: Rule) -> list[dict[str, Any]]:
    starts = range(0, min(case.window, len(case.first_stage)), case.size)
    return [hit for start in starts for hit in page(case, start, rule)]


@given(cases(), st.sampled_from([Rule(), Rule("blend", 0.7), Rule("rrf")]))
def test_pages_show_each_hit_once(case: Case, rule: Rule) -> None:
    """The pages that start in the window hold each of its hits once, and what follows it in first-stage order."""
    names = [int(hit["_id"]) for hit in walk(case, rule)]
    window = len(case.model)
    assert sorted(names[:window]) == list(range(window))
    assert names[window:] == list(range(window, len(names)))


@given(cases(), st.sampled_from([Rule(), Rule("blend", 0.7), Rule("rrf")]))
def test_scores_fall_across_the_pages(case: Case, rule: Rule) -> None:
    """Scores fall from page to page, window in (1, 2) and tail in (0, 1), and equal ones stand in the tail alone."""
    scores = [hit["_score"] for hit in walk(case, rule)]
    window = len(case.model)
    assert all(above > below for above, below in pairwise(scores[:window]))
    assert all(above >= below for above, below in pairwise(scores[window:]))
    assert all(1 < score < 2 for score in scores[:window])
    assert all(0 < score < 1 for score in scores[window:])
