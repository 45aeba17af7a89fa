"""First stage and models taking turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.interleave import interleaved, team_draft
from bridge.modes import flips
from connectors.base import RankedHit

ORDERS = st.integers(1, 12).flatmap(lambda size: st.permutations(range(size)))


def test_turns_as_in_the_paper() -> None:
    """Who has fewer is next, a coin decides where both have as many, and each side takes its best that is left."""
    drafted = team_draft([0, 1, 2, 3], [3, 2, 1, 0], iter([True, False, True]))
    assert drafted == [(3, "models"), (0, "first_stage"), (1, "first_stage"), (2, "models")]


@given(order=ORDERS, seed=st.text())
def test_a_draft_is_whole_and_fair(order: list[int], seed: str) -> None:
    """Each hit once; no side ever leads by more than one; each side's hits stand in its own order."""
    drafted = team_draft(sorted(order), order, flips(seed))
    assert sorted(hit for hit, _ in drafted) == sorted(order)
    for end in range(len(drafted) + 1):
        teams = [team for _, team in drafted[:end]]
        assert abs(teams.count("models") - teams.count("first_stage")) <= 1
    by_models = [hit for hit, team in drafted if team == "models"]
    by_first_stage = [hit for hit, team in drafted if team == "first_stage"]
    assert by_first_stage == sorted(by_first_stage)
    assert by_models == [hit for hit in order if hit in by_models]


@pytest.mark.parametrize("rank", [0, 2, 4])
def test_no_side_is_first_more_often(rank: int) -> None:
    """Over many searches each places the first hit, and each odd one, in half of them, and as many in all."""
    order = [4, 2, 5, 0, 3, 1]
    drafts = [team_draft(range(6), order, flips(f"query {number}")) for number in range(4_000)]
    assert sum(draft[rank][1] == "models" for draft in drafts) / 4_000 == pytest.approx(0.5, abs=0.03)
    assert {sum(team == "models" for _, team in draft) for draft in drafts} == {3}


@given(order=ORDERS, tail=st.integers(0, 3), seed=st.text(), data=st.data())
def test_what_does_not_take_part(order: list[int], tail: int, seed: str, data: st.DataObject) -> None:
    """Pinned hits keep place and score and are nobody's; scores stay with the places; the tail stays as it is."""
    window = len(order)
    pinned = set(data.draw(st.sets(st.sampled_from(order))))
    free = iter(place for place in order if place not in pinned)
    ranked = [
        RankedHit(place, 1e38) if place in pinned else RankedHit(next(free), 2.0 - place / 100)
        for place in range(window)
    ]
    ranked += [RankedHit(place, 0.5) for place in range(window, window + tail)]
    hits, teams = interleaved(ranked, window, pinned, flips(seed))
    assert [hit.score for hit in hits] == [hit.score for hit in ranked]
    assert sorted(hit.first_stage_index for hit in hits) == list(range(window + tail))
    assert hits[window:] == ranked[window:]
    assert {place for place, team in enumerate(teams) if team is None} == pinned
    assert all(hits[place].first_stage_index == place for place in pinned)
    assert len(teams) == window
