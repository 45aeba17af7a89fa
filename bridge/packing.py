"""Texts that wait -> the next batch, under a token budget. Pure arithmetic over lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

CHARACTERS_PER_TOKEN = 4  # of English text under subword tokenizers; only texts that are not read yet are estimated


class Waiting(NamedTuple):
    """What waits of one search."""

    costs: Sequence[int]
    """Tokens of its texts, in the order in which they are to be scored; one at least."""
    shared: int = 0
    """Tokens that come on top for the first of them."""
    room: float = float("inf")
    """Tokens that can be scored before its deadline."""
    may_wait: bool = False
    """Whether it can let one batch of others pass, and has not done so for its first text."""

    @property
    def first(self) -> int:
        """Tokens of its first text."""
        return self.shared + self.costs[0]


def estimated_tokens(characters: int, max_tokens: int) -> int:
    """Tokens of a text of this many characters, cut to what the model reads; at least 1."""
    return min(characters // CHARACTERS_PER_TOKEN + 1, max_tokens)


def batch_shares(waiting: Sequence[Waiting], budget_tokens: int) -> list[int]:
    """How many texts of each search go into the next batch, from its front.

    ``waiting`` has the most urgent search first; ``len(shares) == len(waiting)``; one text at least is taken.

    1. The most urgent search is served first; what it leaves of the budget goes to the others, each as far as its next
       text fits. No search's own order is changed, so one whose next text does not fit waits for the next batch.
    2. The batch ends, by the speed measured, before the deadline of the most urgent search in it.
    3. A text that is longer than the budget is scored alone; before that, once, a batch of others' texts may pass.
       So short searches wait for one long text at most, and a long text for one batch.
    """
    head = waiting[0]
    if head.first > budget_tokens and head.may_wait and len(waiting) > 1:
        passing = _filled(waiting[1:], min(budget_tokens, waiting[1].room))
        if any(passing):
            return [0, *passing]
    room = min(budget_tokens, head.room)
    if head.first > room:
        return [1, *[0] * (len(waiting) - 1)]
    return _filled(waiting, room)


def _filled(waiting: Sequence[Waiting], room: float) -> list[int]:
    shares: list[int] = []
    for search in waiting:
        share, shared = 0, search.shared
        for cost in search.costs:
            if cost + shared > room:
                break
            room -= cost + shared
            share, shared = share + 1, 0
        shares.append(share)
    return shares
