"""A real Solr with odd documents and handlers of its own, and searches sent to it as they came and widened."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from bridge.demo.engine import Engine
from bridge.demo.solr_home import CONFIGSET
from connectors.base import PassThrough, Policy, Reply, Request
from connectors.solr import Solr
from tests.connectors.small_engine import OK, SmallEngine, Widened, widened
from tests.doubles.solr_core import fill, get_json, make_core, post, timeless

CORE = "odd"
DOCUMENTS = 45
POLICY = Policy(window=15)
HANDLERS = ("/browse", "/fixed", "/elevate")
SCHEMA = {
    "add-field": [
        {"name": "title", "type": "text_en"},
        {"name": "body", "type": "text_general", "multiValued": False},
        {"name": "comments", "type": "text_general", "multiValued": True},
        {"name": "cat", "type": "string", "stored": False, "docValues": True},
        {"name": "hidden", "type": "text_general", "stored": False},
    ],
    "add-copy-field": {"source": "title", "dest": "_text_"},
}
CONFIG = [
    {
        "add-requesthandler": {
            "name": "/browse",
            "class": "solr.SearchHandler",
            "defaults": {
                "echoParams": "all",
                "defType": "edismax",
                "qf": "title^2 body",
                "fl": "id,title",
                "facet": "true",
                "facet.field": "cat",
            },
            "appends": {"fq": "n_i:[0 TO 40]"},
        }
    },
    {
        "add-requesthandler": {
            "name": "/fixed",
            "class": "solr.SearchHandler",
            "defaults": {"df": "title"},
            "invariants": {"rows": 5, "fl": "id,score"},
        }
    },
]
_TIMES = re.compile(rb'("(?:time|elapse)"\s*:\s*)[\d.]+')
"""In the section ``debug``."""


def document(number: int) -> dict[str, Any]:
    """A document with long integers, small floats, odd signs, several values, and fields that are not stored."""
    jumps = " jumps" * (number % 7)
    return {
        "id": f"d:{number}" if number % 5 else f'd "{number}"',
        "title": f"quick fox {number}",
        "body": f"the quick brown fox{jumps}",
        "comments": [f"nice quick {number}", "bad"] if number % 3 else [],
        "cat": f"c{number % 4}",
        "hidden": "quick secret",
        "n_i": number,
        "big_l": 9_223_372_036_854_775_800 + number % 8,
        "f_f": 1e-7 * number,
        "d_d": 1.0 / (number + 1),
        "b_b": number % 2 == 0,
        "when_dt": f"2026-01-{number % 28 + 1:02}T00:00:00Z",
        "tags_ss": ["a", f"b{number % 3}", 'q"uote\\'],
        "uni_t": "héllo 😀 \u2028 </script> \x7f quick",
    }


def odd_solr(solr: Engine) -> SmallEngine:
    """The Solr with its core."""
    url = make_core(solr, CORE, config=CONFIG, schema=SCHEMA)
    fill(url, [document(number) for number in range(DOCUMENTS)])
    return SmallEngine(solr.url, Solr(HANDLERS))


def odd_cloud(url: str) -> SmallEngine:
    """A SolrCloud with the same documents in a collection of two shards."""
    create = {"action": "CREATE", "name": CORE, "numShards": "2", "collection.configName": CONFIGSET}
    get_json(f"{url}/solr/admin/collections?{urlencode(create)}")
    collection = f"{url}/solr/{CORE}"
    post(f"{collection}/schema", SCHEMA)
    fill(collection, [document(number) for number in range(DOCUMENTS)])
    return SmallEngine(url, Solr(HANDLERS))


def content(reply: Reply) -> bytes:
    """The body without its coding and without the time that Solr took."""
    body = gzip.decompress(reply.body) if reply.header("content-encoding") == "gzip" else reply.body
    return _TIMES.sub(rb"\g<1>0", timeless(body))


def headers(reply: Reply) -> list[tuple[str, str]]:
    """The header fields that have nothing to do with the length of the body or the time."""
    gone = {"content-length", "transfer-encoding", "date", "etag", "last-modified"}
    return [field for field in reply.headers if field[0].lower() not in gone]


def both(engine: SmallEngine, request: Request, policy: Policy = POLICY) -> tuple[Reply, Widened]:
    """A search sent directly and widened; it has to succeed."""
    wide = widened(engine, request, policy)
    assert isinstance(wide, Widened), wide
    direct = engine.send(request)
    assert direct.status == OK, direct.body
    return direct, wide


def passed(engine: SmallEngine, request: Request, policy: Policy = POLICY) -> PassThrough:
    """Why a search is left alone."""
    decision = widened(engine, request, policy)
    assert isinstance(decision, PassThrough), decision
    return decision


def check_alike(wide: Widened, direct: Reply) -> None:
    """In first-stage order the reply is Solr's to the byte, but for the order of members that no client can count on.

    ``echoParams=all`` shows them in the order of a hash table of all parameters. Where all fields of ``fl`` have
    docValues, Solr reads no others, and writes them in another order than that of the document (its
    ``RetrieveFieldsOptimizer``).
    """
    spliced, sent = wide.splice(None), wide.exchange.request
    if content(spliced) != content(direct):
        names_fields = _NAMES_FIELDS.search(sent.target + sent.body.decode(errors="replace"))
        assert names_fields or b'"echoParams":"all"' in content(direct).replace(b" ", b""), content(spliced)
        assert _unordered(spliced) == _unordered(direct)
    assert headers(spliced) == headers(direct)
    assert (spliced.status, spliced.reason) == (direct.status, direct.reason)


_NAMES_FIELDS = re.compile(r"\bfl=|\"fl\"|\"fields\"|/(?:browse|fixed)")


def _unordered(reply: Reply) -> object:
    return json.loads(content(reply), parse_float=str, parse_int=str)


def check_reordered(wide: Widened, direct: Reply, seed: random.Random) -> None:
    """A random order of the window: as many documents, none twice, all of the first stage, and an equal rest."""
    if wide.page.skip is not None:
        return
    places = list(range(len(wide.page.first_stage_scores)))
    window = places[: wide.plan.policy.window]
    seed.shuffle(window)
    reordered = json.loads(content(wide.reordered([*window, *places[wide.plan.policy.window :]])))
    straight = json.loads(content(direct))
    shown = without_documents(reordered)
    assert len(shown) == len(without_documents(straight))
    left = Counter(all_documents(wide))
    left.subtract(shown)
    assert min(left.values(), default=0) >= 0
    assert reordered == straight


def without_documents(envelope: Any) -> list[str]:
    """Takes the documents and what belongs to them out of a reply, and gives them as text without their scores."""
    response = envelope.get("response", {})
    response.pop("maxScore", None)
    envelope.pop("highlighting", None)
    for section in (envelope.get("debug", {}), envelope.get("debug", {}).get("track", {})):
        if isinstance(section, dict):
            section.pop("explain", None)
    documents = response.pop("docs", [])
    for one in documents:
        for name in ("score", "s", "[shard]", "[explain]"):
            one.pop(name, None)
    return [json.dumps(one, sort_keys=True) for one in documents]


def all_documents(wide: Widened) -> list[str]:
    """Every document that was fetched, as the client would get it."""
    search = replace(wide.plan, start=0, size=len(wide.page.first_stage_scores))
    everything = replace(wide, exchange=replace(wide.exchange, searches=(search,)), plan=search)
    return without_documents(json.loads(content(everything.splice(None))))
