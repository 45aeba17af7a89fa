"""Searches that are asked anew beside others, where the engine is gone by then."""

from __future__ import annotations

import json

from bridge.errors import UpstreamError
from connectors.base import Reply
from tests.doubles.small_exchange import exchange
from tests.doubles.small_sender import SmallSender
from tests.test_exchange_many import MISSING, ManySender, about, msearch, shown


async def test_an_engine_that_is_gone_fails_no_search_that_it_had_answered() -> None:
    """The error is that of the search that was asked anew; the others are reranked."""
    request = msearch(({}, about("cats")), ({"index": "gone"}, about("dogs")))
    first: Reply = ManySender(own={"gone": MISSING}).page(request)
    async with exchange(ManySender(answers=[first, UpstreamError(504, "silent")])) as small:
        reply = await small.search(request)
        failed = json.loads(reply.body)["responses"][1]
        assert (failed["status"], failed["error"]["reason"]) == (504, "rerank bridge: silent")
        assert shown(reply) == [[3, 2, 1, 0, 4], []]
        assert isinstance(small.sender, SmallSender)
        assert len(small.sender.requests) == 2
