"""Generated searches on a real Solr: the bridge's answer is Solr's, but for the order and the cut.

Some hundred searches run with every test run; ``HYPOTHESIS_PROFILE=thorough`` runs 10,000, as in
``test_generated_searches``.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import PassThrough, Reason, Request
from tests.connectors.small_engine import SmallEngine, Widened, widened
from tests.connectors.solr_engine import POLICY, check_alike, check_reordered, content
from tests.connectors.solr_generated import searches
from tests.connectors.test_generated_searches import BODIES, EXAMPLES, ON_ENGINE

_EXPLAINS = re.compile(r"explain|debug")


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Counter[str]]:
    """How the generated searches ended; printed at the end."""
    counted: Counter[str] = Counter()
    yield counted
    print("\n" + "\n".join(f"{count:>7} {outcome}" for outcome, count in counted.most_common()))  # noqa: T201 - asked for


@ON_ENGINE
@given(search=searches(), seed=st.randoms(use_true_random=False))
def test_generated_searches(
    odd_solr: SmallEngine, outcomes: Counter[str], search: Request, seed: random.Random
) -> None:
    """In first-stage order each reply is Solr's to the byte; in another, documents of the first stage once each."""
    wide = widened(odd_solr, search, POLICY)
    if isinstance(wide, PassThrough):
        outcomes[f"passed through: {wide.reason}"] += 1
        return
    direct = odd_solr.send(search)
    if wide.page.skip is Reason.ENGINE_ERROR:  # of two mistakes in a search, Solr tells now one and now the other
        outcomes["passed through: 5xx"] += 1
        assert direct.status >= HTTPStatus.BAD_REQUEST
        return
    assert wide.reply.status == direct.status, direct.body
    if b'"bool"' in search.body and _EXPLAINS.search(search.target + search.body.decode()):
        outcomes["explained in any order"] += 1  # as the clauses of a bool query come from a hash table
        return
    outcomes[f"cut only: {wide.page.skip}" if wide.page.skip else "reranked"] += 1
    check_alike(wide, direct)
    check_reordered(wide, direct, seed)


@settings(ON_ENGINE, max_examples=EXAMPLES // 4)
@given(body=BODIES, query=st.text("aq=&%+;12?/", max_size=8))
def test_arbitrary_bytes_as_bodies(odd_solr: SmallEngine, outcomes: Counter[str], body: bytes, query: str) -> None:
    """Whatever stands in a body has an answer; should it be a search, it is Solr's."""
    request = Request("POST", f"/solr/odd/select?{query}", (("Content-Type", "application/json"),), body)
    wide = widened(odd_solr, request, POLICY)
    outcomes["arbitrary bytes"] += 1
    if isinstance(wide, Widened):
        assert content(wide.splice(None)) == content(odd_solr.send(request))
