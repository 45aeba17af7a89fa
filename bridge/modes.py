"""How far reranking is rolled out: what becomes of one search, by mode, share and the client's own word. Pure.

A share is stable: who or what a search is told apart by, the value of a header or else its words, is hashed to a point
in [0, 1), and belongs to the share where that lies below it. So one user sees one system, on every bridge and after
every restart, and stays in a share that grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import Literal

from bridge.headers import ON, SHADOW, control_words
from connectors.base import Reason, Request

Mode = Literal["on", "off", "shadow", "canary", "interleave"]

USUAL_SHARE: dict[Mode, float] = {"canary": 0.1}
"""Where none is configured; 1 for other modes."""

_POINTS = 1 << 64


@dataclass(frozen=True, slots=True)
class Lane:
    """What becomes of one search."""

    reason: Reason | None = None
    """Why it keeps first-stage order; None: it is reranked."""
    interleaves: bool = False
    """Whether the first stage and the models take turns in its order."""


RERANKED = Lane()
INTERLEAVED = Lane(interleaves=True)
SHADOWED = Lane(Reason.SHADOW)
LEFT_OUT = Lane(Reason.NOT_IN_SHARE)
SWITCHED_OFF = Lane(Reason.SWITCHED_OFF)

_BY_WORD = {ON: RERANKED, SHADOW: SHADOWED}
_BY_MODE: dict[Mode, Lane] = {
    "on": RERANKED,
    "off": Lane(Reason.MODE_OFF),
    "shadow": SHADOWED,
    "canary": RERANKED,
    "interleave": INTERLEAVED,
}


@dataclass(frozen=True, slots=True)
class Rollout:
    """What the configuration wants for some indices."""

    mode: Mode = "on"
    share: float = 1.0
    """Of the searches that the mode concerns; the others are left alone."""
    share_header: str = ""
    """The header by whose value searches are told apart; empty, or where one lacks it: by their words."""

    def early_lane(self, request: Request, words: AbstractSet[str]) -> Lane | None:
        """What becomes of a search whose words are not known yet; None where they decide."""
        by_word = next((lane for word, lane in _BY_WORD.items() if word in words), None)
        if self.mode == "off" or (self.mode == "on" and by_word is None):
            return _BY_MODE[self.mode]
        if by_word is not None:
            return by_word
        own = self._own(request)
        if own is None and self.share < 1.0:
            return None
        return self._by_share(own or "")

    def lane(self, request: Request, words: AbstractSet[str], query_text: str) -> Lane:
        """What becomes of a search, by its request, the words of the control header in it, and its own words."""
        return self.early_lane(request, words) or self._by_share(spelled_alike(query_text))

    def _by_share(self, key: str) -> Lane:
        return _BY_MODE[self.mode] if self.share >= 1.0 or point(key) < self.share else LEFT_OUT

    def _own(self, request: Request) -> str | None:
        return request.header(self.share_header) or None if self.share_header else None

    def seed(self, request: Request, query_text: str) -> str:
        """What the turns of an interleaved search depend on: the same on all its pages."""
        return f"{self._own(request) or ''}\0{spelled_alike(query_text)}"


def point(key: str) -> float:
    """Where a key lies in [0, 1): the same everywhere and always."""
    digest = blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / _POINTS


def spelled_alike(query_text: str) -> str:
    """The words without what people don't see as a difference: case and white space."""
    return " ".join(query_text.casefold().split())


class Switch:
    """Turns all reranking off at once. Lives as long as the process; a restart is as configured."""

    def __init__(self) -> None:
        self.is_off = False


Indices = tuple[str, ...]


class Steering:
    """Says of each search what becomes of it."""

    def __init__(
        self, rollout: Callable[[Indices], Rollout] = lambda _: Rollout(), switch: Switch | None = None
    ) -> None:
        """``rollout`` is what the configuration wants for indices that a search names."""
        self._rollout = rollout
        self._switch = switch or Switch()

    def declines(self) -> Reason | None:
        """Why all searches pass through, whatever they are, or None."""
        return SWITCHED_OFF.reason if self._switch.is_off else None

    def lane(self, request: Request, indices: Indices, query_text: str) -> Lane:
        """What becomes of a search."""
        if self._switch.is_off:
            return SWITCHED_OFF
        return self._rollout(indices).lane(request, control_words(request.headers), query_text)

    def early_reason(self, request: Request, named: Iterable[Indices]) -> Reason | None:
        """Why searches that name these indices are left alone whatever their words are; None where they may not be."""
        words = control_words(request.headers)
        lanes = [self._rollout(indices).early_lane(request, words) for indices in named]
        return left_alone([lane or RERANKED for lane in lanes])

    def coins(self, request: Request, indices: Indices, query_text: str) -> Iterator[bool]:
        """Whose turn it is to place a hit where both placed as many: the same for all pages of a search."""
        return flips(self._rollout(indices).seed(request, query_text))


def left_alone(lanes: Sequence[Lane]) -> Reason | None:
    """Why a request is left alone; None where a search of it is reranked, or there is none."""
    reasons = [lane.reason for lane in lanes if lane.reason is not None]
    if not reasons or len(reasons) < len(lanes):
        return None
    return Reason.SHADOW if Reason.SHADOW in reasons else reasons[0]


def flips(seed: str) -> Iterator[bool]:
    """Coins without end, fair over seeds and the same for the same one."""
    for block in count():
        digest = blake2b(f"{block}\0{seed}".encode(errors="surrogatepass")).digest()
        yield from (bool(byte >> bit & 1) for byte in digest for bit in range(8))
