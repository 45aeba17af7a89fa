"""Strategies for searches of Solr: any mix of parsers, parameters and ways to send them, and of arbitrary JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from connectors.base import Request
from tests.connectors.generated import JSON_VALUES, fixed
from tests.doubles.solr_core import FORM, JSON

WORD = st.sampled_from(["quick", "fox", "quick fox", "brown jumps", "nice", "bad", "7", "nosuch", "héllo"])
SYNTAX = st.sampled_from(
    ["AND", "OR", "NOT", "-fox", "+title:fox", "qu*", "fo~", '"quick fox"', "(a", "n_i:[1 TO 2]", "title:", "*:*", "^2"]
)
WORDS = st.lists(WORD | WORD | SYNTAX, min_size=1, max_size=3).map(" ".join)
TEXT_FIELDS = st.sampled_from(["title", "body", "comments", "uni_t", "_text_", "hidden"])
FIELDS = TEXT_FIELDS | st.sampled_from(["id", "cat", "n_i", "big_l", "tags_ss", "f_f", "when_dt", "nosuch", "any_s"])
WEIGHTED = st.builds("{}{}".format, TEXT_FIELDS | st.just("n_i"), st.sampled_from(["", "", "^2", "^0.5"]))
WHERE = st.lists(WEIGHTED, min_size=1, max_size=3).map(" ".join)
SHOWN = st.lists(
    FIELDS
    | st.sampled_from(
        [
            *("*", "score", "t*", "*_i", "s:score", "name:cat", "twice:mul(n_i,2)", "[docid]", "[shard]", "title,body"),
            *("", "[explain]", "v:[value v=5 t=int]", "id score", "exists(cat)", "nosuch(", "[elevated]", "field(n_i)"),
        ]
    ),
    max_size=4,
).map(",".join)
FOUND = st.sampled_from(["quick fox", "title:quick", "body:fox", "+quick", "quick OR nosuch", "title:quick n_i:7"])
PARSED = st.builds(
    "{{!{}}}{}".format,
    st.sampled_from(
        ["edismax qf=title", "edismax qf='title body' mm=1", "dismax qf=$f", "lucene df=title", "boost b=n_i"]
    )
    | st.sampled_from(
        ["lucene q.op=AND df=body", "edismax qf=title v=$w", "bool must=$w", "term f=cat", "func", "frange l=0"]
    ),
    FOUND | WORDS,
)
QUERY = FOUND | FOUND | WORDS | PARSED | st.sampled_from(["*:*", "", "{!", "$w", '_query_:"{!edismax qf=title}fox"'])
FILTER = st.sampled_from(
    [
        "n_i:[0 TO 30]",
        "cat:c1",
        "{!collapse field=cat}",
        "{!term f=cat}c2",
        "-title:7",
        "{!cache=false}title:quick",
        "x(",
    ]
)
FLAG = st.sampled_from(["true", "false", "on", "", "x"])
COUNT = st.integers(0, 50).map(str) | st.sampled_from(["-1", "x", "", "+5", "007", "99999999999"])
SORTS = [
    "score desc",
    "score desc,n_i asc",
    "score DESC",
    "n_i asc",
    "score asc",
    "id desc,score desc",
    "",
    "random_1 asc",
]
SORT = st.sampled_from(SORTS[:2] * 3 + SORTS)
PARAMETERS: dict[str, st.SearchStrategy[str]] = {
    "defType": st.sampled_from(["edismax", "edismax", "dismax", "lucene", "", "nosuch", "func"]),
    "qf": WHERE,
    "pf": WHERE,
    "df": TEXT_FIELDS,
    "q.op": st.sampled_from(["AND", "OR", "or"]),
    "q.alt": st.sampled_from(["*:*", "title:quick"]),
    "mm": st.sampled_from(["1", "100%", "2<-25%"]),
    "bq": st.sampled_from(["cat:c2^3", "title:7"]),
    "bf": st.sampled_from(["n_i", "recip(n_i,1,1,1)"]),
    "boost": st.sampled_from(["n_i", "sum(n_i,1)"]),
    "uf": st.sampled_from(["title", "* -_query_", "*"]),
    "tie": st.just("0.1"),
    "fq": FILTER,
    "fl": SHOWN,
    "sort": SORT,
    "start": st.integers(0, 16).map(str) | COUNT,
    "rows": st.integers(1, 40).map(str) | COUNT,
    "wt": st.sampled_from(["json", "json", "json", "xml", "javabin", "csv", ""]),
    "indent": FLAG,
    "omitHeader": FLAG,
    "echoParams": st.sampled_from(["explicit", "all", "none"]),
    "json.nl": st.sampled_from(["flat", "map", "arrarr", "arrmap"]),
    "hl": FLAG,
    "hl.fl": SHOWN,
    "hl.method": st.sampled_from(["unified", "original"]),
    "facet": FLAG,
    "facet.field": st.sampled_from(["cat", "n_i", "title"]),
    "facet.query": FOUND,
    "stats": FLAG,
    "stats.field": st.just("n_i"),
    "debug": st.sampled_from(["query", "results", "track"]),
    "debugQuery": FLAG,
    "group": FLAG,
    "group.field": st.just("cat"),
    "expand": FLAG,
    "cursorMark": st.just("*"),
    "rq": st.just("{!rerank reRankQuery=title:7}"),
    "timeAllowed": st.just("60000"),
    "elevateIds": st.sampled_from(["d:7", "d:44,d:3"]),
    "excludeIds": st.just("d:1"),
    "enableElevation": FLAG,
    "mlt": FLAG,
    "qt": st.sampled_from(["/browse", "/nosuch"]),
    "json": st.sampled_from(['{"limit": 3}', '{"query": "title:quick"}', '{"params": {"rows": 2}}', "[", "{}"]),
    "json.limit": st.just("4"),
    "json.facet": st.just('{"cats":{"type":"terms","field":"cat"}}'),
    "f": TEXT_FIELDS,
    "w": FOUND,
    "nosuch": st.just("1"),
    "ü": st.text(max_size=3),
}
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "offset": st.integers(0, 16) | st.sampled_from(["3", -1, "x"]),
    "limit": st.integers(0, 45) | st.sampled_from(["7", -1, None]),
    "fields": SHOWN | st.lists(FIELDS | st.just("score"), max_size=3),
    "filter": FILTER | st.lists(FILTER, max_size=2),
    "sort": SORT,
    "facet": st.just({"cats": {"type": "terms", "field": "cat"}}),
    "queries": fixed(w=FOUND, x=st.just({"lucene": {"df": "title", "query": "fox"}})),
    "params": st.dictionaries(st.sampled_from(sorted(PARAMETERS)), WORD | COUNT | FLAG | st.just("title"), max_size=3),
    "nosuch": JSON_VALUES,
}
LEAVES: st.SearchStrategy[Any] = st.one_of(
    QUERY,
    fixed(lucene=fixed(df=TEXT_FIELDS, query=WORDS | FOUND)),
    fixed(edismax=fixed(qf=WHERE, query=WORDS | FOUND)),
    fixed(field=fixed(f=TEXT_FIELDS, query=WORDS)),
    fixed(term=fixed(f=st.just("cat"), query=st.just("c1"))),
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        fixed(
            bool=fixed(
                must=(inner | st.lists(inner, max_size=2),), should=(inner,), filter=(FILTER,), must_not=(inner,)
            )
        ),
        fixed(boost=fixed(b=st.just("n_i"), query=inner)),
    ),
    max_leaves=3,
)
TARGETS = st.sampled_from(
    [
        *(["/solr/odd/select"] * 6),
        *("/solr/odd/query", "/solr/odd/browse", "/solr/odd/fixed", "/solr/odd/elevate"),
        *("/api/cores/odd/select", "/solr/odd/select/"),
    ]
)


@st.composite
def some(draw: st.DrawFn, strategies: dict[str, st.SearchStrategy[Any]], most: int) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(strategies)), unique=True, max_size=most))
    return {name: draw(strategies[name]) for name in names}


@st.composite
def parameters(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Parameters that mostly find something."""
    usual = draw(st.sampled_from([{"df": "title"}, {"defType": "edismax", "qf": "title body"}, {}]))
    named = {"q": draw(QUERY), **usual, **draw(some(PARAMETERS, 5))}
    pairs = list(named.items())
    if draw(st.integers(0, 10)) == 7:  # one of them twice
        name = draw(st.sampled_from(["fq", "fl", "rows", "sort", "q", "qf"]))
        pairs.append((name, draw(PARAMETERS.get(name, QUERY))))
    return pairs


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """A JSON text; now and then with a member of any shape."""
    body = {"query": draw(QUERIES), **draw(some(MEMBERS, 3))}
    body.setdefault("params", {"df": "title"})
    if draw(st.integers(0, 20)) == 13:
        body[draw(st.sampled_from(["query", *body]))] = draw(JSON_VALUES)
    return body


@st.composite
def searches(draw: st.DrawFn) -> Request:
    """A search as a client may send it."""
    target, kind = draw(TARGETS), draw(st.integers(0, 19))
    accepted = (("Accept-Encoding", "gzip"),) if draw(st.booleans()) else ()
    if kind < 10:
        return Request("GET", f"{target}?{urlencode(draw(parameters()))}", accepted)
    if kind < 13:
        return Request("POST", target, (*FORM, *accepted), urlencode(draw(parameters())).encode())
    if kind < 18:
        more = draw(some(PARAMETERS, 2))
        return Request(
            "POST",
            f"{target}?{urlencode(more)}" if more else target,
            (*JSON, *accepted),
            json.dumps(draw(bodies())).encode(),
        )
    if kind == 18:
        return Request("POST", target, (*JSON, *accepted), json.dumps(draw(JSON_VALUES)).encode())
    return Request("GET", f"{target}?{quote(draw(st.text('q=&%+;{!}$', max_size=10)), safe='q=&%+;{!}$')}", accepted)
