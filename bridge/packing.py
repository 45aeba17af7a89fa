"""Texts -> batches under a token budget. Pure arithmetic over lengths."""

from __future__ import annotations

from collections.abc import Sequence

CHARACTERS_PER_TOKEN = 4  # of English text under subword tokenizers; a batch's cost needs no better estimate


def estimated_tokens(characters: int, max_tokens: int) -> int:
    """Tokens of a text of this many characters, cut to what the model reads; at least 1."""
    return min(characters // CHARACTERS_PER_TOKEN + 1, max_tokens)


def batch_shares(waiting: Sequence[Sequence[int]], budget_tokens: int) -> list[int]:
    """How many texts of each search go into the next batch, from its front.

    ``waiting`` holds the estimated tokens of each search's texts, most urgent search first; a later search gets what
    the earlier ones leave. ``len(shares) == len(waiting)``; at least one text is taken where any waits.
    """
    shares = [0] * len(waiting)
    left = budget_tokens
    for place, lengths in enumerate(waiting):
        for tokens in lengths:
            if tokens > left and any(shares):
                return shares
            shares[place] += 1
            left -= tokens
    return shares
