"""What reading and writing cost alone: a search planned, its reply parsed, its page spliced, in this process.

No engine, no model, one core, whose time is taken rather than the clock's, so that what else runs counts little. Beside
it, in turns, the reference: decoding the same reply with the standard library and encoding it again, which is what a
proxy pays that does not splice.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from rich.table import Table

from bridge.ranking import Rule, StageScores, order
from connectors.base import Answers, ExchangePlan, HitPage, Order, Page, Policy, Question, Questions, Reply, Request
from connectors.opensearch import OpenSearch

HITS = 100
HIT_BYTES = 2_000
SEARCHES = 50
ROUNDS = 200
ROUNDS_OF_MANY = 20
_ROUNDS_OF_QUESTIONS = 4  # as an exchange has them
_WORDS = (
    "while",
    "a",
    "search",
    "engine",
    "ranks",
    "documents",
    "for",
    "people",
    "who",
    "ask",
    "quick",
    "brown",
    "fox",
)
_BODY = {"query": {"multi_match": {"query": "quick brown fox", "fields": ["title^2", "text"]}}, "size": 10}
_JSON = (("Content-Type", "application/json"),)

_Result = TypeVar("_Result")


class Case(NamedTuple):
    """A request, and what the engine answers to the wider one."""

    name: str
    request: Request
    reply: Reply
    rounds: int


class Cost(NamedTuple):
    """Milliseconds of each step of one exchange, and of the reference."""

    plan: float
    parse: float
    splice: float
    reference: float

    @property
    def together(self) -> float:
        """What the bridge's own reading and writing takes."""
        return self.plan + self.parse + self.splice


def table(cases: Sequence[Case]) -> Table:
    """A row for each case; every figure is a median over its rounds, that of the sum too."""
    columns = ("request", "reply", "plan", "parse", "splice", "together", "json.loads + json.dumps", "ratio")
    title = (
        f"reading and writing alone, {HITS} hits of {HIT_BYTES:,} bytes for each search: p50 in ms of one core's time"
    )
    shown = Table(*columns, title=title)
    for case in cases:
        costs = measured(case)
        plan, parse, splice, reference = (statistics.median(part) for part in zip(*costs, strict=True))
        together = statistics.median(cost.together for cost in costs)
        ratio = statistics.median(cost.together / cost.reference for cost in costs)
        figures = (f"{figure:.2f}" for figure in (plan, parse, splice, together, reference, ratio))
        shown.add_row(case.name, f"{len(case.reply.body) / 1024:,.0f} KiB", *figures)
    return shown


def measured(case: Case) -> list[Cost]:
    """The costs of each round."""
    connector = OpenSearch()
    answers = _answers(connector, case.request)
    planned = partial(_planned, connector, case.request, answers)
    orders = [_reversed(page) for page in connector.parse(planned(), case.reply)]
    costs: list[Cost] = []
    for _ in range(case.rounds):
        plan, plan_ms = _timed(planned)
        pages, parse_ms = _timed(partial(connector.parse, plan, case.reply))
        _, splice_ms = _timed(partial(connector.splice, plan, pages, case.reply, orders))
        _, reference_ms = _timed(partial(_decoded_and_encoded, case.reply.body))
        costs.append(Cost(plan_ms, parse_ms, splice_ms, reference_ms))
    return costs


def one_search() -> Case:
    """A ``_search``."""
    request = Request("POST", "/articles/_search", _JSON, _encoded(_BODY))
    return Case("_search", request, _reply(_envelope(_chance())), ROUNDS)


def many_searches() -> Case:
    """An ``_msearch``."""
    lines = b"".join(_encoded(line) + b"\n" for line in ({"index": "articles"}, _BODY) * SEARCHES)
    request = Request("POST", "/_msearch", (("Content-Type", "application/x-ndjson"),), lines)
    chance = _chance()
    content = {"took": 9, "responses": [{**_envelope(chance), "status": 200} for _ in range(SEARCHES)]}
    return Case(f"_msearch of {SEARCHES}", request, _reply(content), ROUNDS_OF_MANY)


def _chance() -> random.Random:
    return random.Random(1)  # noqa: S311 - the same texts in every run


def _envelope(chance: random.Random) -> dict[str, object]:
    hits = [_hit(chance, number) for number in range(HITS)]
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    found = {"total": {"value": 1234, "relation": "eq"}, "max_score": hits[0]["_score"], "hits": hits}
    return {"took": 9, "timed_out": False, "_shards": shards, "hits": found}


def _hit(chance: random.Random, number: int) -> dict[str, object]:
    source: dict[str, object] = {
        "title": " ".join(chance.choices(_WORDS, k=8)),
        "tags": chance.choices(_WORDS, k=3),
        "author": {"name": "A. Author", "id": number},
        "year": 2000 + number % 25,
        "price": round(chance.uniform(1, 100), 2),
    }
    hit = {"_index": "articles", "_id": f"article-{number}", "_score": 30 - number / 10, "_source": source}
    room = HIT_BYTES - len(_encoded(hit)) - len(',"text":""')
    source["text"] = " ".join(chance.choices(_WORDS, k=room))[:room]
    return hit


def _reply(content: object) -> Reply:
    return Reply(200, "OK", (("Content-Type", "application/json; charset=UTF-8"),), _encoded(content))


def _encoded(value: object) -> bytes:
    """As the engines write it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _decoded_and_encoded(body: bytes) -> bytes:
    return json.dumps(json.loads(body)).encode()


def _answers(connector: OpenSearch, request: Request) -> Answers:
    """What a bridge would have asked the engine once and kept: nothing was said."""
    answers: dict[Question, Reply | None] = {}
    for _ in range(_ROUNDS_OF_QUESTIONS):
        plan = connector.plan(request, _policy, answers)
        if not isinstance(plan, Questions):
            break
        answers |= dict.fromkeys(plan.questions)
    return answers


def _planned(connector: OpenSearch, request: Request, answers: Answers) -> ExchangePlan:
    plan = connector.plan(request, _policy, answers)
    if not isinstance(plan, ExchangePlan):
        raise TypeError(f"the search is not reranked: {plan}")
    return plan


def _policy(_: tuple[str, ...]) -> Policy:
    return Policy(window=HITS)


def _reversed(page: Page) -> Order:
    if not isinstance(page, HitPage):
        raise TypeError(f"the reply can't be read: {page}")
    return order(page.first_stage_scores, [StageScores(tuple(map(float, range(HITS))), Rule())])


def _timed(work: Callable[[], _Result]) -> tuple[_Result, float]:
    started = time.process_time()
    done = work()
    return done, (time.process_time() - started) * 1000
