"""The searches whose texts wait to be scored, nearest deadline first, and what of them goes to the model next."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.errors import ScoringError
from bridge.models.base import Tokens
from bridge.packing import Waiting, batch_shares

MIN_SCORED = 2
"""Texts of a search; fewer give no order."""
CHUNK_TOKENS = 8_192
"""That are read at once: some 20 ms on one core, so that the first batch need not wait for all of its search."""


class Unread(NamedTuple):
    """A text that waits to be read."""

    key: bytes
    text: str
    tokens: int
    """Estimated."""


class Read(NamedTuple):
    """A text that waits to be scored."""

    key: bytes
    tokens: Tokens


@dataclass(slots=True, eq=False)
class Search:
    """One search's texts on their way through the model."""

    query_text: str
    instruction: str
    deadline: float
    scores: list[float | None]
    """One for each text of the window, as far as it is known."""
    places: dict[bytes, list[int]]
    """Where in the window the text of each key stands."""
    unread: deque[Unread]
    """In first-stage order, as ``read``, which comes before it."""
    read: deque[Read] = field(default_factory=deque)
    reading: int = 0
    """Texts that are being read."""
    begun: int = 0
    under_way: int = 0
    """Of those begun, texts that are being scored."""
    has_let_pass: bool = False
    """Whether its next text, being long, has let others pass."""
    waiting_tokens: int = 0
    """Of the texts that are not begun, estimated where they are not read."""
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    asked_at: float = 0.0
    queue_s: float = 0.0
    """From when it was asked until its first text was begun; 0 where none is."""
    read_s: float = 0.0
    score_s: float = 0.0
    """Of the batches that it had a part in."""

    @property
    def waiting_pairs(self) -> int:
        """How many texts are not begun."""
        return len(self.unread) + self.reading + len(self.read)

    @property
    def is_late(self) -> bool:
        """Whether it may be answered as it is: there is an order, and nothing more is to come for now."""
        return self.begun >= MIN_SCORED and not self.under_way

    @property
    def shared(self) -> int:
        """Tokens that the model computes once for it, before its first text."""
        return len(self.read[0].tokens.shared) if self.read and not self.begun else 0

    @property
    def next_tokens(self) -> int:
        """Tokens of the next text that is read."""
        return self.shared + self.read[0].tokens.cost

    def take(self) -> Read:
        """The next text that is read; it counts as begun."""
        text = self.read.popleft()
        self.waiting_tokens -= text.tokens.cost
        self.begun += 1
        self.under_way += 1
        self.has_let_pass = False
        return text

    def put_read(self, chunk: Sequence[Unread], tokens: Sequence[Tokens]) -> None:
        """Puts the texts of a chunk behind those that were read before, unless the search was dropped meanwhile."""
        if self.reading:
            self.reading = 0
            self.read.extend(Read(text.key, read) for text, read in zip(chunk, tokens, strict=True))
            self.waiting_tokens += sum(read.cost for read in tokens) - sum(text.tokens for text in chunk)

    def put_score(self, key: bytes, score: float) -> None:
        """Puts a score wherever the text of this key stands."""
        for place in self.places[key]:
            self.scores[place] = score

    def drop(self) -> None:
        """Nothing more of it is begun."""
        self.unread.clear()
        self.read.clear()
        self.reading = self.waiting_tokens = 0

    def settle(self) -> None:
        """Answers it where nothing waits and nothing is under way."""
        if not self.waiting_pairs and not self.under_way and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: ScoringError) -> None:
        """Answers it with an error."""
        self.drop()
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # marks it as seen: nobody waits for it where the deadline came first


class Batch(NamedTuple):
    """What is scored at once."""

    texts: list[tuple[Search, Read]]
    tokens: int
    """That are computed for it."""

    @property
    def searches(self) -> list[Search]:
        """The searches that have texts in it, each once."""
        return list(dict.fromkeys(search for search, _ in self.texts))


class Queue:
    """The searches that wait."""

    def __init__(self) -> None:
        self._searches: list[Search] = []

    def add(self, search: Search) -> None:
        """Takes a search in, behind those whose deadlines are as near."""
        insort(self._searches, search, key=lambda entry: entry.deadline)

    def discard(self, search: Search) -> None:
        """Lets go of a search and of what waits of it."""
        search.drop()
        if search in self._searches:
            self._searches.remove(search)

    def fail(self, error: ScoringError) -> None:
        """Answers all searches with an error."""
        for search in self._searches:
            search.fail(error)

    @property
    def pairs(self) -> int:
        """Texts that are not begun."""
        return sum(search.waiting_pairs for search in self._searches)

    @property
    def tokens(self) -> int:
        """Tokens that are not begun, estimated where they are not read."""
        return sum(search.waiting_tokens for search in self._searches)

    @property
    def read_tokens(self) -> int:
        """Tokens that are read and not begun."""
        return sum(text.tokens.cost for search in self._searches for text in search.read)

    def next_chunk(self, batch_tokens: int, batches: int) -> tuple[Search, list[Unread]] | None:
        """The texts to read next, of one search; None where enough is read, or all is.

        Enough is what fills so many ``batches``; of one search not more counts than one of them takes, so that a long
        text does not keep those of others from being read.
        """
        ahead = 0
        for search in self._searches:
            read = sum(text.tokens.cost for text in search.read)
            if search.unread and read < batches * batch_tokens:
                return search, _chunk(search)
            ahead += min(read, batch_tokens)
            if ahead >= batches * batch_tokens:
                break
        return None

    def next_batch(self, budget_tokens: int, room: Callable[[float], float]) -> Batch | None:
        """What is to be scored next; None where nothing is read that may be begun.

        ``room`` gives the tokens that can be scored before a deadline. Searches that can't be scored any further in
        time are answered as they are.
        """
        waiting: list[tuple[Search, Waiting]] = []
        for search in [entry for entry in self._searches if entry.read]:
            tokens = room(search.deadline)
            if search.begun < MIN_SCORED or search.next_tokens <= tokens:
                waiting.append((search, _waiting(search, tokens, budget_tokens)))
            elif search.is_late:
                search.drop()
                search.settle()
        if not waiting:
            return None
        shares = batch_shares([entry for _, entry in waiting], budget_tokens)
        waiting[0][0].has_let_pass = not shares[0]
        taken = [(search, share) for (search, _), share in zip(waiting, shares, strict=True) if share]
        shared = sum(search.shared for search, _ in taken)
        texts = [(search, search.take()) for search, share in taken for _ in range(share)]
        return Batch(texts, shared + sum(text.tokens.cost for _, text in texts))


def _chunk(search: Search) -> list[Unread]:
    chunk = [search.unread.popleft()]
    tokens = chunk[0].tokens
    while search.unread and tokens + search.unread[0].tokens <= CHUNK_TOKENS:
        chunk.append(search.unread.popleft())
        tokens += chunk[-1].tokens
    search.reading = len(chunk)
    return chunk


def _waiting(search: Search, room: float, budget_tokens: int) -> Waiting:
    may_wait = not search.has_let_pass and room >= budget_tokens + search.next_tokens
    return Waiting([text.tokens.cost for text in search.read], search.shared, max(room, 0.0), may_wait)
