"""What the engine is asked before searches are planned: how often, by whom, and for how long an answer holds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.engine_answers import MAX_ANSWERS, SILENCE_HOLDS_S, EngineAnswers
from bridge.errors import ReplyTooLargeError, UpstreamError
from connectors.base import Question, Reply, Request


@dataclass
class Engine:
    """Answers each question with its number, once the test lets it."""

    answers: list[Exception] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    body: bytes = b"{}"

    async def send(self, request: Request, *, limit_bytes: int) -> Reply:
        self.asked.append(request)
        await self.is_open.wait()
        if self.answers:
            raise self.answers.pop(0)
        if len(self.body) > limit_bytes:
            raise ReplyTooLargeError(limit_bytes)
        return Reply(200, str(len(self.asked)), (), self.body)


def question(target: str = "/i/_mapping", *, user: str = "a", holds_s: float = 60.0) -> Question:
    return Question(Request("GET", target, (("Authorization", user),)), holds_s)


def opened() -> Engine:
    engine = Engine()
    engine.is_open.set()
    return engine


async def test_an_answer_serves_equal_questions_while_it_holds() -> None:
    """Asked once in the time that the question says, and again after it."""
    engine, now = opened(), [0.0]
    answers = EngineAnswers(engine, lambda: now[0])
    for moment in (0.0, 59.0, 61.0):
        now[0] = moment
        reply = (await answers.of([question()]))[question()]
    assert reply is not None
    assert (reply.reason, len(engine.asked)) == ("2", 2)


async def test_nobody_learns_what_another_was_told() -> None:
    """A question carries the credentials of who asks; the answer to one client serves no other."""
    engine = opened()
    answers = EngineAnswers(engine, lambda: 0.0)
    await answers.of([question(user="a"), question(user="b")])
    assert [request.headers[0][1] for request in engine.asked] == ["a", "b"]


async def test_an_answer_for_one_search_is_not_kept() -> None:
    """A template is rendered for the search that names it."""
    engine = opened()
    answers = EngineAnswers(engine, lambda: 0.0)
    for _ in range(2):
        await answers.of([question(holds_s=0.0)])
    assert len(engine.asked) == 2


async def test_those_who_ask_at_once_wait_for_one_answer() -> None:
    """A crowd of searches does not ask a crowd of questions, and one that leaves takes no other along."""
    engine = Engine()
    answers = EngineAnswers(engine, lambda: 0.0)
    first, *others = [asyncio.create_task(answers.of([question()])) for _ in range(20)]
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    engine.is_open.set()
    replies = await asyncio.gather(*others)
    assert all(reply[question()] is not None for reply in replies)
    assert len(engine.asked) == 1


async def test_an_engine_that_does_not_answer_is_asked_again() -> None:
    """Nothing is kept of a failure: the search itself says what is wrong with the engine."""
    engine = opened()
    engine.answers = [UpstreamError(504, "silent"), UpstreamError(502, "refused")]
    answers = EngineAnswers(engine, lambda: 0.0)
    assert [(await answers.of([question()]))[question()] is None for _ in range(3)] == [True, True, False]


async def test_a_search_does_not_wait_for_an_engine_that_is_slow_to_answer() -> None:
    """A cluster without a master answers searches, but not what its mappings are: one search of some time waits."""
    engine, now = Engine(), [0.0]
    answers = EngineAnswers(engine, lambda: now[0], wait_s=0.0)
    assert await answers.of([question()]) == {question(): None}
    engine.is_open.set()
    assert await answers.of([question()]) == {question(): None}
    assert len(engine.asked) == 1
    now[0] = SILENCE_HOLDS_S
    assert (await answers.of([question()]))[question()] is not None


async def test_a_template_that_is_slow_to_render_is_given_up() -> None:
    """The search is passed on as it came; another one asks for itself."""
    engine = Engine()
    answers = EngineAnswers(engine, lambda: 0.0, wait_s=0.0)
    once = question("/_render/template", holds_s=0.0)
    assert await answers.of([once]) == {once: None}
    engine.is_open.set()
    assert (await answers.of([once]))[once] is not None


async def test_an_answer_that_is_too_large_is_not_asked_for_by_every_search() -> None:
    """It would be read again and again, and dropped."""
    engine = opened()
    engine.answers = [ReplyTooLargeError(1)]
    answers = EngineAnswers(engine, lambda: 0.0)
    assert [(await answers.of([question()]))[question()] for _ in range(2)] == [None, None]
    assert len(engine.asked) == 1


async def test_what_is_kept_is_bounded() -> None:
    """The least recently used answers go, by number and by size."""
    engine = opened()
    answers = EngineAnswers(engine, lambda: 0.0)
    for number in range(MAX_ANSWERS + 1):
        await answers.of([question(f"/{number}/_mapping")])
    asked = len(engine.asked)
    await answers.of([question(f"/{MAX_ANSWERS}/_mapping")])
    assert len(engine.asked) == asked
    await answers.of([question("/0/_mapping")])
    assert len(engine.asked) == asked + 1
    engine.body = b"x" * (7 << 20)
    for number in range(11):
        await answers.of([question(f"/large{number}/_mapping")])
    before = len(engine.asked)
    await answers.of([question("/large10/_mapping"), question("/large0/_mapping")])
    assert len(engine.asked) == before + 1
