"""Pages partition the window: a search walked page by page shows each hit once, with falling scores."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bridge.ranking import Rule, StageScores, order
from connectors._search_reply import splice_reply
from connectors.base import Policy
from tests.connectors.replies import envelope, parsed, planned, reply, scored_hits

RULES = st.sampled_from([Rule(), Rule("blend", 0.7), Rule("rrf")])
MODEL_SCORES = st.none() | st.floats(-10, 10) | st.sampled_from([0.0, 1.0])


class Case(NamedTuple):
    """A first stage, the scores of one model or several for its window, and a page size."""

    first_stage: list[float]
    stages: list[StageScores]
    window: int
    size: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    first_stage = sorted(draw(st.lists(st.floats(0, 50, width=32), min_size=2, max_size=20)), reverse=True)
    window = draw(st.integers(2, 12))
    scored = min(window, len(first_stage))
    scores = st.lists(MODEL_SCORES, min_size=scored, max_size=scored).map(tuple)
    stages = draw(st.lists(st.builds(StageScores, scores, RULES), min_size=1, max_size=3))
    return Case(first_stage, stages, window, draw(st.integers(1, 9)))


def page(case: Case, start: int) -> list[dict[str, Any]]:
    """One page as the client sees it: the engine answers the widened request, the window is ordered, the page cut."""
    plan = planned({"from": start, "size": case.size}, policy=Policy(window=case.window))
    fetched = json.loads(plan.request.body)["size"]
    answer = reply(envelope(scored_hits(case.first_stage)[:fetched], case.first_stage[0]))
    ranked = order(parsed(plan, answer).first_stage_scores, case.stages)
    hits: list[dict[str, Any]] = json.loads(splice_reply(plan, parsed(plan, answer), answer, ranked).body)["hits"][
        "hits"
    ]
    return hits


def walk(case: Case) -> list[dict[str, Any]]:
    starts = range(0, min(case.window, len(case.first_stage)), case.size)
    return [hit for start in starts for hit in page(case, start)]


@given(cases())
def test_pages_show_each_hit_once(case: Case) -> None:
    """The pages that start in the window hold each of its hits once, and what follows it in first-stage order."""
    names = [int(hit["_id"]) for hit in walk(case)]
    window = len(case.stages[0].scores)
    assert sorted(names[:window]) == list(range(window))
    assert names[window:] == list(range(window, len(names)))


@given(cases())
def test_scores_fall_across_the_pages(case: Case) -> None:
    """Scores fall from page to page, window in (1, 2) and tail in (0, 1), and equal ones stand in the tail alone."""
    scores = [hit["_score"] for hit in walk(case)]
    window = len(case.stages[0].scores)
    assert all(above > below for above, below in pairwise(scores[:window]))
    assert all(above >= below for above, below in pairwise(scores[window:]))
    assert all(1 < score < 2 for score in scores[:window])
    assert all(0 < score < 1 for score in scores[window:])
