"""Searches that take long to read, while others go on."""

from __future__ import annotations

import gzip
import threading
from dataclasses import replace

import pytest

from connectors.base import Answers, PassThrough, PolicyOf, Reason, Request
from connectors.opensearch import OpenSearch
from tests.doubles.small_exchange import exchange
from tests.doubles.small_sender import search_request

SHORT = search_request()
LONG = search_request(note="x" * (1 << 17))
COMPRESSED = replace(LONG, headers=(*LONG.headers, ("Content-Encoding", "gzip")), body=gzip.compress(LONG.body))


class Noting(OpenSearch):
    """Notes in which threads it plans."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def plan(self, request: Request, policy_of: PolicyOf, answers: Answers) -> PassThrough:
        del request, policy_of, answers
        self.threads.add(threading.get_ident())
        return PassThrough(Reason.NO_QUERY_TEXT)


@pytest.mark.parametrize(("request_", "is_beside"), [(SHORT, False), (LONG, True), (COMPRESSED, True)])
async def test_what_may_take_long_to_read_holds_up_nobody(request_: Request, *, is_beside: bool) -> None:
    """A megabyte of words takes seconds, and a few kilobytes may be a megabyte compressed."""
    connector = Noting()
    async with exchange(connector=connector) as small:
        await small.skipped(request_)
    assert (threading.get_ident() not in connector.threads) is is_beside


@pytest.mark.parametrize("request_", [LONG, COMPRESSED])
async def test_a_long_search_is_reranked(request_: Request) -> None:
    """As any other."""
    async with exchange() as small:
        assert (await small.search(request_)).header("x-rerank") == "applied; window=4; model=small"
