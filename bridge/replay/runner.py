"""Searches sent again: each to every system, by so many workers, at the moments that the schedule says.

Sent is what reads alone: a request that is no search to any connector is refused, so that no log can change an index.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from bridge.errors import UpstreamError
from bridge.replay.answers import Answer, ShownHit, no_answer, read_answer
from bridge.replay.http_client import Connection, HttpReply, Target
from bridge.replay.logged import Broken, LoggedSearch
from bridge.replay.pacing import Schedule
from bridge.replay.reads import is_search
from bridge.replay.records import BrokenPlace, Record

EXPLAIN = ("X-Rerank", "explain")
_ENTRIES_PER_TURN = 200
"""Of a log that are passed over before others get their turn."""


@dataclass(frozen=True, slots=True)
class System:
    """What answers searches: an engine, or a bridge before it."""

    name: str
    target: Target
    timeout_s: float = 60.0
    made_of: str = ""
    """What it is, where that says more than its address: one that is started for the replay has another each time."""

    @property
    def identity(self) -> str:
        """The same for a run that is resumed."""
        return self.made_of or self.target.authority


@dataclass(frozen=True, slots=True)
class Plan:
    """How a replay goes."""

    systems: tuple[System, ...]
    schedule: Schedule
    workers: int
    explains: bool = True
    """Whether the last system is asked once more, untimed, where its page has other hits: how deep they stood."""
    object_field: str = ""
    """The field that events know a document by; empty: its id."""


@dataclass(slots=True)
class Progress:
    """How far a replay is."""

    sent: int = 0
    refused: int = 0
    failed: int = 0
    started_s: float = field(default_factory=time.perf_counter)

    @property
    def rate(self) -> float:
        """Searches a second so far."""
        return self.sent / max(time.perf_counter() - self.started_s, 1e-9)


Entry = LoggedSearch | Broken
Sink = Callable[[Record | BrokenPlace], None]


class Replay:
    """One replay; ``stop`` ends it after the searches under way."""

    def __init__(self, plan: Plan, sink: Sink) -> None:
        self._plan = plan
        self._sink = sink
        self._stopped = False
        self.progress = Progress()

    def stop(self) -> None:
        """No search is begun any more."""
        self._stopped = True

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped

    async def run(self, entries: Iterable[tuple[int, Entry]]) -> None:
        """Sends every search, and gives what came of each to the sink, in the order in which they end.

        What ``entries`` or the sink raise ends it.
        """
        queue: asyncio.Queue[tuple[int, LoggedSearch, float | None] | None] = asyncio.Queue(self._plan.workers)
        self.progress.started_s = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._plan.workers):
                    group.create_task(self._work(queue))
                await self._feed(entries, queue)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _feed(
        self, entries: Iterable[tuple[int, Entry]], queue: asyncio.Queue[tuple[int, LoggedSearch, float | None] | None]
    ) -> None:
        sent = 0
        for turn, (number, entry) in enumerate(entries):
            if self._stopped:
                break
            if turn % _ENTRIES_PER_TURN == 0:
                await asyncio.sleep(0)
            problem = entry.problem if isinstance(entry, Broken) else self._refusal(entry)
            if isinstance(entry, Broken) or problem:
                self.progress.refused += 1
                self._sink(BrokenPlace(number, entry.place, problem))
                continue
            await queue.put((number, entry, self._plan.schedule(sent, entry)))
            sent += 1
        for _ in range(self._plan.workers):
            await queue.put(None)

    def _refusal(self, search: LoggedSearch) -> str:
        path = search.target.partition("?")[0]
        return "" if is_search(search.method, path) else f"{search.method} of this path is no search: not sent"

    async def _work(self, queue: asyncio.Queue[tuple[int, LoggedSearch, float | None] | None]) -> None:
        async with _connected(self._plan.systems) as connections:
            while (work := await queue.get()) is not None:
                number, search, after_s = work
                if self._stopped:
                    continue
                intended_s = None if after_s is None else self.progress.started_s + after_s
                if intended_s is not None:
                    await asyncio.sleep(intended_s - time.perf_counter())
                sent_s = time.time()
                answers = await self._answers(number, search, intended_s, connections)
                self.progress.sent += 1
                self.progress.failed += any(not answer.is_answered for answer in answers)
                self._sink(_record(number, search, answers, sent_s))

    async def _answers(
        self, number: int, search: LoggedSearch, intended_s: float | None, connections: Sequence[Connection]
    ) -> tuple[Answer, ...]:
        if intended_s is not None:  # together: the schedule holds for each of them
            return tuple(await asyncio.gather(*(self._ask(one, search, intended_s) for one in connections)))
        order = list(range(len(connections)))
        # By turns first, so that neither finds the engine's caches warmed by the other more often.
        order = order if number % 2 else order[::-1]
        found = {place: await self._ask(connections[place], search, None) for place in order}
        answers = [found[place] for place in range(len(connections))]
        if self._plan.explains and _has_newcomers(answers):
            answers[-1] = await _explained(answers[-1], search, connections[-1])
        return tuple(answers)

    async def _ask(self, connection: Connection, search: LoggedSearch, intended_s: float | None) -> Answer:
        sent_s = time.perf_counter()
        due_s = sent_s if intended_s is None else intended_s
        try:
            reply = await _send(connection, search)
        except UpstreamError as error:
            ended_s = time.perf_counter()
            return no_answer(error.problem, ended_s - due_s, ended_s - sent_s)
        ended_s = time.perf_counter()
        return read_answer(reply, ended_s - due_s, ended_s - sent_s, self._plan.object_field)


@asynccontextmanager
async def _connected(systems: Sequence[System]) -> AsyncIterator[Sequence[Connection]]:
    connections = [Connection(system.target, system.timeout_s) for system in systems]
    try:
        yield connections
    finally:
        for connection in connections:
            await connection.close()


def _send(connection: Connection, search: LoggedSearch, *headers: tuple[str, str]) -> Awaitable[HttpReply]:
    return connection.send(search.method, search.target, search.body, search.content_type, headers)


def _has_newcomers(answers: Sequence[Answer]) -> bool:
    first, last = answers[0], answers[-1]
    return last.fate == "applied" and bool(set(last.ids) - set(first.ids))


async def _explained(answer: Answer, search: LoggedSearch, connection: Connection) -> Answer:
    """The answer with where its hits stood in the first stage, as far as the bridge tells it."""
    try:
        told = read_answer(await _send(connection, search, EXPLAIN), 0.0, 0.0)
    except UpstreamError:
        return answer
    known = {(hit.index, hit.id): hit for hit in told.hits}
    hits = tuple(_with_depth(hit, known.get((hit.index, hit.id))) for hit in answer.hits)
    return msgspec.structs.replace(answer, hits=hits)


def _with_depth(hit: ShownHit, told: ShownHit | None) -> ShownHit:
    if told is None:
        return hit
    return msgspec.structs.replace(hit, first_stage_rank=told.first_stage_rank, passage=told.passage)


def _record(number: int, search: LoggedSearch, answers: tuple[Answer, ...], sent_s: float) -> Record:
    return Record(
        number=number,
        place=search.place,
        key=search.key,
        target=search.target,
        answers=answers,
        query_text=search.query_text,
        query_id=search.query_id,
        weight=search.weight,
        at_s=search.at_s,
        sent_s=round(sent_s, 3),
    )
