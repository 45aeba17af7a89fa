"""Whole exchanges: a real Solr, the real embedded model, and clients that know nothing of the bridge."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pysolr
import pytest
from rich.console import Console

from bridge.check import Example, check
from bridge.composition import bridging
from bridge.config_sources import load
from bridge.demo.engine import Engine
from connectors.base import Headers, Reply, Request
from tests.doubles.solr_core import FORM, JSON, fill, make_core, send, timeless

CORE = "through-the-bridge"
COUNT = 180
SUBJECTS = ("cats that sleep", "dogs that run", "boats on a lake", "trains in the snow", "bread from the oven")
MORE_LIKE_THIS = {"add-requesthandler": {"name": "/mlt", "class": "solr.MoreLikeThisHandler"}}
BROWSE = {
    "add-requesthandler": {
        "name": "/browse",
        "class": "solr.SearchHandler",
        "defaults": {"defType": "edismax", "qf": "text_txt_en", "rows": 7},
    }
}
EDISMAX: dict[str, Any] = {"defType": "edismax", "qf": "text_txt_en", "mm": "1"}


def text(number: int) -> str:
    return f"{SUBJECTS[number % len(SUBJECTS)]}, story {number} of many" + " about nothing else" * (number % 4)


@pytest.fixture(scope="module")
def core(solr: Engine) -> str:
    url = make_core(solr, CORE, config=[MORE_LIKE_THIS, BROWSE])
    fill(url, [{"id": str(n), "text_txt_en": text(n), "number_i": n} for n in range(COUNT)])
    return url


@pytest.fixture(scope="module")
async def bridge_url(core: str) -> AsyncIterator[str]:
    upstream = core.partition("/solr/")[0]
    flags = {"upstream": upstream, "listen": "127.0.0.1:0", "score_timeout_s": 60, "solr_handlers": "browse"}
    async with bridging(load(flags, None, {})) as bridge:
        assert str(bridge.engine) == "solr 9.10.1"
        yield bridge.running.url


@pytest.fixture
def engine(core: str) -> Iterator[pysolr.Solr]:
    client = pysolr.Solr(core, timeout=60)
    yield client
    client.get_session().close()


@pytest.fixture
def client(bridge_url: str) -> Iterator[pysolr.Solr]:
    client = pysolr.Solr(f"{bridge_url}/solr/{CORE}", timeout=60)
    yield client
    client.get_session().close()


def ids(results: Any) -> list[str]:
    return [document["id"] for document in results]


async def test_pysolr_gets_the_same_documents_in_a_better_order(client: pysolr.Solr, engine: pysolr.Solr) -> None:
    """Only the order and the scores differ: counts, documents, facets and highlights are Solr's."""
    more = {"fl": "*,score", "rows": COUNT, "facet": "true", "facet.field": "number_i", "hl": "true", **EDISMAX}
    direct, bridged = await asyncio.to_thread(
        lambda: [one.search("story of a kitten", **more) for one in (engine, client)]
    )
    assert sorted(ids(bridged)) == sorted(ids(direct))
    assert ids(bridged) != ids(direct)
    assert int(ids(bridged)[0]) % len(SUBJECTS) == 0
    scores = [document.pop("score") for document in bridged]
    assert scores == sorted(scores, reverse=True)
    documents = {document["id"]: {**document, "score": None} for document in direct}
    assert all({**document, "score": None} == documents[document["id"]] for document in bridged)
    for part in ("hits", "facets", "highlighting"):
        assert getattr(bridged, part) == getattr(direct, part)
    assert bridged.raw_response["response"]["maxScore"] == scores[0]
    assert bridged.raw_response["responseHeader"]["params"] == direct.raw_response["responseHeader"]["params"]


async def test_pages_walked_through_the_bridge_show_each_document_once(client: pysolr.Solr) -> None:
    """Fifteen pages of ten, over the border of the window: nothing comes twice, nothing is lost."""

    def walk() -> tuple[list[str], list[str]]:
        pages = [client.search("story of trains", start=start, rows=10, **EDISMAX) for start in range(0, 150, 10)]
        return [name for page in pages for name in ids(page)], ids(
            client.search("story of trains", rows=150, **EDISMAX)
        )

    walked, whole = await asyncio.to_thread(walk)
    assert len(set(walked)) == 150
    assert walked == whole


async def test_a_cursor_walks_through_everything(client: pysolr.Solr) -> None:
    """A deep export by ``cursorMark`` is Solr's own, document for document."""

    def walk() -> list[str]:
        return ids(client.search("story", sort="score desc,id asc", cursorMark="*", rows=50, **EDISMAX))

    found = await asyncio.to_thread(walk)
    assert len(found) == len(set(found)) == COUNT


async def test_what_pysolr_writes_and_asks_besides(client: pysolr.Solr, engine: pysolr.Solr) -> None:
    """Documents that are added, changed and deleted through the bridge are so in Solr; the rest answers alike."""

    def use() -> None:
        client.add([{"id": "new", "text_txt_en": "an umbrella stand"}], commit=True)
        assert ids(client.search("umbrella story", rows=5, **EDISMAX))[0] == "new"
        client.add([{"id": "new", "text_txt_en": "another thing"}], fieldUpdates={"text_txt_en": "set"}, commit=True)
        assert "new" not in ids(client.search("umbrella story", rows=5, **EDISMAX))
        client.delete(id="new", commit=True)
        assert engine.search("id:new").hits == 0
        assert ids(client.more_like_this("id:7", "text_txt_en", **{"mlt.mindf": 1})) == ids(
            engine.more_like_this("id:7", "text_txt_en", **{"mlt.mindf": 1})
        )
        assert json.loads(client.ping())["status"] == "OK"

    await asyncio.to_thread(use)


async def test_errors_are_solrs_own(client: pysolr.Solr, engine: pysolr.Solr) -> None:
    """A field that does not exist and a broken query raise in the client what they raise without the bridge."""

    def failures(of: pysolr.Solr) -> list[str]:
        found: list[str] = []
        for parameters in ({"qf": "nosuch", "defType": "edismax"}, {"q": "text_txt_en:[1 TO"}, {"defType": "nosuch"}):
            with pytest.raises(pysolr.SolrError) as caught:
                of.search(parameters.pop("q", "fox"), **parameters)
            found.append(str(caught.value).replace(of.url, ""))
        return found

    assert await asyncio.to_thread(failures, client) == await asyncio.to_thread(failures, engine)


def get(target: str, *headers: tuple[str, str]) -> Request:
    return Request("GET", target, headers)


def sent(target: str, body: bytes, headers: Headers = JSON) -> Request:
    return Request("POST", target, headers, body)


SELECT = f"/solr/{CORE}/select"
ASKED = "q=story+of+a+kitten&defType=edismax&qf=text_txt_en&rows=20&fl=id"
ASKED_IN_JSON = json.dumps(
    {"query": "story of a kitten", "params": {"defType": "edismax", "qf": "text_txt_en"}, "limit": 20, "fields": "id"}
).encode()


@pytest.mark.parametrize(
    "request_",
    [
        get(f"{SELECT}?{ASKED}"),
        get(f"{SELECT}?{ASKED}&wt=json&indent=off"),
        get(f"{SELECT}?{ASKED}", ("Accept-Encoding", "gzip")),
        get(f"/solr/{CORE}/query?{ASKED}"),
        get(f"/api/cores/{CORE}/select?{ASKED}"),
        get(f"/solr/{CORE}/browse?q=story+of+a+kitten&rows=20&fl=id"),
        sent(SELECT, ASKED.encode(), FORM),
        sent(f"{SELECT}?rows=20", ASKED.encode(), FORM),
        sent(SELECT, ASKED_IN_JSON),
        sent(f"/solr/{CORE}/query", ASKED_IN_JSON),
        sent(f"/api/cores/{CORE}/query", ASKED_IN_JSON),
        get(f"{SELECT}?json={quote(ASKED_IN_JSON)}"),
        get(f"{SELECT}?q=" + quote("{!edismax qf=text_txt_en v=$qq}") + "&qq=story+of+a+kitten&rows=20&fl=id"),
    ],
    ids=lambda request: f"{request.method} {request.target[:40]}",
)
async def test_each_way_to_ask_is_reranked(core: str, bridge_url: str, request_: Request) -> None:
    """URL, form, JSON text, v2 paths, a handler that was named, local parameters: all give the same better order."""
    bridged, direct = await asyncio.to_thread(lambda: [send(url, request_) for url in (bridge_url, core)])
    assert (bridged.header("X-Rerank") or "").startswith("applied")
    assert all(int(name) % len(SUBJECTS) == 0 for name in shown(bridged)[:5])
    assert shown(bridged) != shown(direct)
    assert len(shown(bridged)) == len(shown(direct)) == 20


def shown(reply: Reply) -> list[str]:
    body = gzip.decompress(reply.body) if reply.header("Content-Encoding") == "gzip" else reply.body
    return ids(json.loads(body)["response"]["docs"])


XML = (("Content-Type", "text/xml"),)
UNTOUCHED = [
    get(f"{SELECT}?{ASKED}&wt=xml"),
    get(f"{SELECT}?{ASKED}&wt=javabin&omitHeader=true"),
    get(f"{SELECT}?{ASKED}&wt=csv"),
    get(f"{SELECT}?{ASKED}&wt=json&json.wrf=callback"),
    get(f"{SELECT}?{ASKED}&sort=number_i+desc"),
    get(f"{SELECT}?{ASKED}", ("X-Rerank", "off")),
    get(f"{SELECT}?q=*:*&rows=3"),
    get(f"/solr/{CORE}/export?q=*:*&sort=id+asc&fl=id"),
    sent(f"/solr/{CORE}/stream", b"expr=" + quote(f'search({CORE},q="*:*",fl="id",sort="id asc")').encode(), FORM),
    get(f"/solr/{CORE}/get?id=7"),
    get(f"/solr/{CORE}/terms?terms.fl=text_txt_en"),
    get(f"/solr/{CORE}/admin/ping"),
    get(f"/solr/{CORE}/admin/luke?numTerms=0&show=schema"),
    get(f"/solr/{CORE}/schema/fields"),
    get(f"/solr/{CORE}/config/requestHandler"),
    get(f"/solr/{CORE}/replication?command=indexversion"),
    get("/solr/admin/info/properties?wt=json"),
    get("/solr/admin/cores?action=STATUS&indexInfo=false&core=nosuch"),
    get("/api/cores/nosuch/select?q=x"),
    get("/solr/nosuch/select?q=x"),
    get(f"/solr/{CORE}/nosuch?q=x"),
    get("/"),
    sent(f"/solr/{CORE}/update?commit=true", b"<add><doc><field name='id'>0</field></doc></add>", XML),
    sent(f"/solr/{CORE}/update?commit=true", b'{"delete": {"id": "nosuch"}}'),
    sent(f"/solr/{CORE}/update?commit=true", b"[{"),
    sent(
        f"/solr/{CORE}/update/json/docs?commit=true",
        json.dumps({"id": "0", "text_txt_en": text(0), "number_i": 0}).encode(),
    ),
    sent(f"/solr/{CORE}/analysis/field?analysis.fieldtype=text_en&analysis.fieldvalue=running", b"", FORM),
    Request("HEAD", f"{SELECT}?{ASKED}", ()),
    Request("OPTIONS", SELECT, ()),
]


@pytest.mark.parametrize("request_", UNTOUCHED, ids=lambda request: f"{request.method} {request.target[-45:]}")
async def test_the_rest_passes_through_byte_for_byte(core: str, bridge_url: str, request_: Request) -> None:
    """Status, header fields and body are Solr's, but for the clock's hands."""
    direct, bridged = await asyncio.to_thread(lambda: [send(url, request_) for url in (core, bridge_url)])
    assert (bridged.status, bridged.reason) == (direct.status, direct.reason)
    assert lasting(bridged.headers) == lasting(direct.headers)
    assert timeless(bridged.body) == timeless(direct.body)


VARYING = {"date", "content-length", "etag", "last-modified", "x-rerank", "server-timing"}
"""What differs from one second to the next, and what the bridge says of searches that it left alone."""


def lasting(headers: Headers) -> list[tuple[str, str]]:
    return sorted(field for field in headers if field[0].lower() not in VARYING)


@pytest.mark.parametrize(
    ("index", "said"), [(CORE, ("X-Rerank: applied", "about nothing else")), ("", ("name a core or collection",))]
)
async def test_check_tries_a_search_of_solr(core: str, index: str, said: tuple[str, ...]) -> None:
    """An operator reads which engine answers, and both orders of one search for the words of a document."""
    shown = io.StringIO()
    config = load({"upstream": core.partition("/solr/")[0]}, None, {})
    assert await check(config, Example(index), Console(file=shown, width=200))
    for words in ("answers: solr 9.10.1", *said):
        assert words in shown.getvalue()
