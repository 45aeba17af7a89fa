"""What a client of Solr gets where Solr or a model fails: Solr's own page or words, or an error in its envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pysolr
import pytest

from bridge.composition import bridging
from bridge.config import Config
from tests.doubles.raw_http import Conversation, Message, RawEngine, ask
from tests.doubles.small_models import GivenModel, LengthModel

SEARCH = b"GET /solr/shop/select?q=quick+fox&df=title HTTP/1.1\r\nHost: b\r\n\r\n"
SCHEMA = {
    "schema": {
        "uniqueKey": "id",
        "fieldTypes": [{"name": "string", "class": "solr.StrField"}, {"name": "text", "class": "solr.TextField"}],
        "fields": [{"name": "id", "type": "string"}, {"name": "title", "type": "text"}],
        "dynamicFields": [],
        "copyFields": [],
    }
}
HANDLER = {"config": {"requestHandler": {"/select": {"class": "solr.SearchHandler", "defaults": {"rows": 10}}}}}
DOCUMENTS = [{"id": str(number), "title": "x" * (number + 1), "score": 9.0 - number} for number in range(4)]


def written(content: object, status: bytes = b"200 OK") -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def page(*names: str) -> dict[str, object]:
    """A reply with these members of each document."""
    documents = [{name: one[name] for name in names} for one in DOCUMENTS]
    scored = {"maxScore": 9.0} if "score" in names else {}
    response = {"numFound": 4, "start": 0, **scored, "numFoundExact": True, "docs": documents}
    return {"responseHeader": {"status": 0, "QTime": 1}, "response": response}


PLAIN, WIDE = written(page("id", "title")), written(page("id", "title", "score"))


@dataclass
class SmallSolr:
    """A Solr that says what it is asked first, and answers searches as it is told."""

    searched: bytes | None = WIDE
    """What a widened search is answered; None: the connection is closed."""
    tells: bool = True
    searches: list[Message] = field(default_factory=list)

    async def __call__(self, conversation: Conversation) -> None:
        await conversation.receive_body()
        answer = self._answer(conversation.request)
        if answer is None:
            conversation.close()
        else:
            await conversation.send(answer)

    def _answer(self, request: Message) -> bytes | None:
        path = request.start.split()[1]
        if b"/shop/select" in path and b"rows=0" not in path:
            self.searches.append(request)
            return self.searched if b"json.limit" in path else PLAIN
        if not self.tells:
            return written({"error": {"code": 403}}, b"403 Forbidden")
        return written(SCHEMA if path.endswith(b"/schema") else HANDLER if b"/config/requestHandler" in path else {})


@asynccontextmanager
async def bridge_before(solr: SmallSolr, model: LengthModel | None = None) -> AsyncIterator[tuple[str, int]]:
    given = {"engine": "solr", "listen": "127.0.0.1:0", "model": "small"}
    async with RawEngine(answer=solr) as engine:
        config = Config.model_validate({"upstream": engine.url, **given})
        async with bridging(config, {"small": (model or LengthModel(),)}) as bridge:
            yield bridge.running.host, bridge.running.port


def told(reply: Message) -> bytes:
    return reply.values(b"X-Rerank")[0]


def ids(reply: Message) -> list[str]:
    return [one["id"] for one in json.loads(reply.body)["response"]["docs"]]


async def test_a_search_that_nothing_is_wrong_with_is_reranked() -> None:
    """The model that likes long texts turns the order round, and the reply shows nothing that was asked beside."""
    solr = SmallSolr()
    async with bridge_before(solr) as address:
        reply = await ask(*address, SEARCH)
    assert told(reply).startswith(b"applied")
    assert ids(reply) == ["3", "2", "1", "0"]
    assert b"score" not in reply.body.lower()
    assert len(solr.searches) == 1


async def test_a_model_that_fails_leaves_solrs_own_page() -> None:
    """The page is that of Solr to the byte, and no second search was needed for it."""
    solr = SmallSolr()
    async with bridge_before(solr, GivenModel(answers=[ValueError("broken")])) as address:
        reply = await ask(*address, SEARCH)
    assert told(reply) == b"skipped; reason=model-failed"
    assert reply.body == PLAIN.partition(b"\r\n\r\n")[2]
    assert len(solr.searches) == 1


@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"500 Server Error", b"503 Service Unavailable"])
async def test_a_struggling_solr_is_asked_once(status: bytes) -> None:
    """Its error goes to the client, who may try again."""
    solr = SmallSolr(written({"error": {"msg": "no live servers", "code": 503}}, status))
    async with bridge_before(solr) as address:
        reply = await ask(*address, SEARCH)
    assert reply.start == b"HTTP/1.1 " + status
    assert told(reply) == b"skipped; reason=engine-error"
    assert json.loads(reply.body)["error"]["msg"] == "no live servers"
    assert len(solr.searches) == 1


@pytest.mark.parametrize(
    ("searched", "reason"),
    [
        (written({"error": {"msg": "undefined field _rerank", "code": 400}}, b"400 Bad Request"), b"engine-error"),
        (written(b'{"response":{"numFound":4,"docs":[{"id'), b"reply-shape"),
        (written(b"<html>proxy</html>"), b"reply-shape"),
        (written({"response": 7}), b"reply-shape"),
        (written(b""), b"reply-shape"),
    ],
)
async def test_a_reply_that_can_not_be_read_is_asked_for_anew(searched: bytes, reason: bytes) -> None:
    """What is wrong with the widened search alone never reaches the client."""
    solr = SmallSolr(searched)
    async with bridge_before(solr) as address:
        reply = await ask(*address, SEARCH)
    assert told(reply) == b"skipped; reason=" + reason
    assert ids(reply) == ["0", "1", "2", "3"]


async def test_a_solr_that_may_not_be_asked_is_left_alone() -> None:
    """Without knowing what a handler adds, a search passes through, and says so."""
    solr = SmallSolr(tells=False)
    async with bridge_before(solr) as address:
        reply = await ask(*address, SEARCH)
    assert told(reply) == b"skipped; reason=handler-unknown"
    assert reply.body == PLAIN.partition(b"\r\n\r\n")[2]


async def test_pysolr_can_read_an_error_of_the_bridge() -> None:
    """A Solr that hangs up is a 502 in the envelope of Solr's own errors, whose message the client shows."""
    async with bridge_before(SmallSolr(searched=None)) as (host, port):
        client = pysolr.Solr(f"http://{host}:{port}/solr/shop", timeout=20)
        with pytest.raises(pysolr.SolrError, match=r"502.*rerank bridge: the engine closed the connection"):
            await asyncio.to_thread(client.search, "quick fox", df="title")
        client.get_session().close()
