"""Two orders as one: first stage and models take turns, and it is known who placed which hit. Pure.

Team-draft interleaving (Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval quality?", CIKM
2008): as captains pick players, each side in its turn places its best hit that is not placed yet; who has placed fewer
is next, and a coin decides where both placed as many. A click credits the side that placed the hit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from connectors.base import RankedHit

Team = Literal["first_stage", "models"]


def team_draft(first_stage: Sequence[int], models: Sequence[int], coins: Iterator[bool]) -> list[tuple[int, Team]]:
    """Both orders of the same hits as one, with who placed each: a permutation of either.

    A true coin is the models'.
    """
    waiting = {"first_stage": iter(first_stage), "models": iter(models)}
    placed: dict[int, Team] = {}
    lead = 0  # how many more hits the models placed
    while len(placed) < len(models):
        team: Team = "models" if lead < 0 or (lead == 0 and next(coins)) else "first_stage"
        lead += 1 if team == "models" else -1
        hit = next(hit for hit in waiting[team] if hit not in placed)
        placed[hit] = team
    return list(placed.items())


def interleaved(
    order: Sequence[RankedHit], window: int, pinned: Collection[int], coins: Iterator[bool]
) -> tuple[list[RankedHit], list[Team | None]]:
    """The models' order with the first stage's turns in its window, and who placed each hit of the window.

    Scores stay with the places. Hits that are pinned keep place and score, and nobody placed them.
    """
    free = [hit.first_stage_index for hit in order[:window] if hit.first_stage_index not in pinned]
    drafted = iter(team_draft(sorted(free), free, coins))
    hits: list[RankedHit] = []
    teams: list[Team | None] = []
    for hit in order[:window]:
        place, team = (hit.first_stage_index, None) if hit.first_stage_index in pinned else next(drafted)
        hits.append(RankedHit(place, hit.score))
        teams.append(team)
    return [*hits, *order[window:]], teams
