"""Generated searches on each real engine: the bridge's answer is the engine's, but for the order and the cut.

Some hundred searches run with every test run. More run with a profile of hypothesis::

    HYPOTHESIS_PROFILE=thorough .venv/bin/python -m pytest tests/connectors/test_generated_searches.py -s

runs 10,000 and prints how they ended.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import PassThrough, Policy, Reason, Reply, Request
from tests.connectors.generated import searches
from tests.connectors.small_engine import OK, SmallEngine, Widened, alike, content, widened

EXAMPLES = {"thorough": 10_000}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 400)
POLICY = Policy(window=15)
ON_ENGINE = settings(
    max_examples=EXAMPLES,
    deadline=None,  # the engine may collect garbage
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    derandomize=EXAMPLES <= 400,
)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Counter[str]]:
    """How the generated searches ended; printed at the end."""
    counted: Counter[str] = Counter()
    yield counted
    print("\n" + "\n".join(f"{count:>7} {outcome}" for outcome, count in counted.most_common()))  # noqa: T201 - asked for


@ON_ENGINE
@given(search=searches(), seed=st.randoms(use_true_random=False))
def test_generated_searches(
    each_engine: SmallEngine, outcomes: Counter[str], search: Request, seed: random.Random
) -> None:
    """In first-stage order each reply is the engine's to the byte; in another, hits of the first stage once each."""
    wide = widened(each_engine, search, POLICY)
    if isinstance(wide, PassThrough):
        outcomes[f"passed through: {wide.reason}"] += 1
        return
    direct = each_engine.send(search)
    if wide.page.skip is Reason.ENGINE_ERROR:  # a nested query within one of the same path is a 5xx of Elasticsearch's
        outcomes["passed through: 5xx"] += 1
        assert wide.splice(None).status == direct.status
        return
    assert direct.status == OK, direct.body
    if b'"profile"' in search.body:  # times
        return
    assert alike(each_engine, wide, direct)
    outcomes[f"cut only: {wide.page.skip}" if wide.page.skip else "reranked"] += 1
    check_reordered(wide, direct, seed)


def check_reordered(wide: Widened, direct: Reply, seed: random.Random) -> None:
    """A random order of the window: as many hits, none twice, all of the first stage, and an equal rest."""
    if wide.page.skip is not None:
        return
    places = list(range(len(wide.page.first_stage_scores)))
    window = places[: wide.plan.policy.window]
    seed.shuffle(window)
    reordered = json.loads(content(wide.reordered([*window, *places[wide.plan.policy.window :]])))
    straight = json.loads(content(direct))
    shown, fetched = without_hits(reordered), all_hits(wide)
    assert len(shown) == len(without_hits(straight))
    left = Counter(fetched)
    left.subtract(shown)
    assert min(left.values(), default=0) >= 0
    assert reordered == straight


def without_hits(envelope: Any) -> list[str]:
    """Takes the hits out of a reply, and gives them as text without their scores."""
    inner = envelope.get("hits", {})
    inner.pop("max_score", None)
    hits = inner.pop("hits", [])
    for hit in hits:
        hit.pop("_score", None)
        hit.get("sort", [None])[0] = None
    return [json.dumps(hit, sort_keys=True) for hit in hits]


def all_hits(wide: Widened) -> list[str]:
    """Every hit that was fetched, as the client would get it: the pages of the first stage, one after the other."""
    search = replace(wide.plan, start=0, size=len(wide.page.first_stage_scores))
    everything = replace(wide, exchange=replace(wide.exchange, searches=(search,)), plan=search)
    return without_hits(json.loads(content(everything.splice(None))))


BODIES = st.binary(max_size=40) | st.text(max_size=20).map(str.encode)


@settings(ON_ENGINE, max_examples=EXAMPLES // 4)
@given(body=BODIES, query=st.text("aq=&%+;12?/", max_size=8))
def test_arbitrary_bytes_as_bodies(each_engine: SmallEngine, outcomes: Counter[str], body: bytes, query: str) -> None:
    """Whatever stands in a body has an answer; should it be a search, it is the engine's."""
    request = Request("POST", f"/odd/_search?{query}", (("Content-Type", "application/json"),), body)
    wide = widened(each_engine, request, POLICY)
    outcomes["arbitrary bytes"] += 1
    if isinstance(wide, Widened):
        assert content(wide.splice(None)) == content(each_engine.send(request))
