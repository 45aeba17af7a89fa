"""Strategies for searches: any mix of the DSL that the bridge reads, of URL parameters, and of arbitrary JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from connectors.base import Request

WORD = st.sampled_from(["quick", "fox", "quick fox", "brown jumps", "nice", "bad 1", "7", "nosuch"])
SYNTAX = st.sampled_from(["AND", "OR", "NOT", "-fox", "title:fox", "qu*", "fo~", '"quick fox"', "(a", "n:[1 TO 2]"])
WORDS = st.lists(WORD | WORD | SYNTAX, min_size=1, max_size=3).map(" ".join)
TEXT_FIELDS = st.sampled_from(["title", "title.en", "body", "other", "uni", "comments.text", "nosuch"])
FIELDS = TEXT_FIELDS | st.sampled_from(["title.kw", "n", "f", "g", "tags", "comments.who", "_id", "anything.big"])
PATTERNS = FIELDS | st.sampled_from(["*", "t*", "*.text", "title*", "n*", "comments.*", "ta*"])
BOOSTED = st.builds("{}{}".format, PATTERNS, st.sampled_from(["", "", "^2", "^0.5"]))
SOME = st.lists(PATTERNS, max_size=3)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.floats(0, 5) | st.text(max_size=5) | st.just("n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def one(kind: str, body: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return body.map(lambda value: {kind: value})


def fixed(**members: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: value for name, value in members.items() if not isinstance(value, tuple)},
        optional={name: value[0] for name, value in members.items() if isinstance(value, tuple)},
    )


def field_clause(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    with_options = fixed(query=WORDS, **{name: (value,) for name, value in options.items()})
    return st.dictionaries(TEXT_FIELDS, WORDS | with_options, min_size=1, max_size=1)


BOOST = st.sampled_from([0.5, 1, 2])
LEAVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    one("match", field_clause(operator=st.sampled_from(["and", "or"]), boost=BOOST, fuzziness=st.just("AUTO"))),
    one("match_phrase", field_clause(slop=st.integers(0, 3))),
    one("match_phrase_prefix", field_clause()),
    one("match_bool_prefix", field_clause()),
    one(
        "multi_match",
        fixed(
            query=WORDS,
            fields=(st.lists(BOOSTED, max_size=3),),
            type=(st.sampled_from(["best_fields", "most_fields", "cross_fields", "phrase", "bool_prefix"]),),
            lenient=(st.booleans(),),
        ),
    ),
    one("combined_fields", fixed(query=WORDS, fields=st.lists(TEXT_FIELDS, min_size=1, max_size=2))),
    one("query_string", fixed(query=WORDS, fields=(st.lists(BOOSTED, max_size=2),), default_field=(PATTERNS,))),
    one("simple_query_string", fixed(query=WORDS, fields=(st.lists(BOOSTED, max_size=2),))),
    st.just({"match_all": {}}),
    one("term", st.dictionaries(FIELDS, st.sampled_from(["a", "b1", 1, "x"]), min_size=1, max_size=1)),
    one("more_like_this", fixed(like=WORDS, min_term_freq=st.just(1))),
)  # fmt: skip


def compound(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, max_size=2) | inner
    return st.one_of(
        one("bool", fixed(must=(several,), should=(several,), filter=(several,), must_not=(several,))),
        one("dis_max", fixed(queries=st.lists(inner, min_size=1, max_size=2), tie_breaker=(st.just(0.3),))),
        one("constant_score", fixed(filter=inner)),
        one("function_score", fixed(query=inner, boost_mode=(st.sampled_from(["sum", "multiply"]),))),
        one("boosting", fixed(positive=inner, negative=inner, negative_boost=st.just(0.5))),
        one("nested", fixed(path=st.just("comments"), query=inner)),
    )


MATCHING: st.SearchStrategy[dict[str, Any]] = st.one_of(
    one(
        "match",
        st.dictionaries(
            st.sampled_from(["title", "body", "other"]), WORDS.map("quick fox ".__add__), min_size=1, max_size=1
        ),
    ),
    one("multi_match", fixed(query=st.just("quick fox"), fields=st.lists(BOOSTED, min_size=1, max_size=3))),
    one(
        "query_string",
        fixed(query=WORDS.map("fox OR title:quick OR ".__add__), fields=(st.lists(BOOSTED, max_size=2),)),
    ),
    st.just({"nested": {"path": "comments", "query": {"match": {"comments.text": "nice bad"}}}}),
)
"""Searches that find something."""
QUERIES = st.recursive(LEAVES, compound, max_leaves=4)
SOURCES = st.one_of(st.booleans(), PATTERNS, SOME, fixed(includes=(SOME,), excludes=(SOME,)))
SORT_KEYS = st.sampled_from(["_score", "_score", "n", {"_score": "desc"}, {"_score": {"order": "desc"}}, {"n": "asc"}])
SMALL = st.integers(0, 45)
COLLAPSES = [{"field": "n"}, {"field": "title.kw"}, {"field": "n", "inner_hits": {"name": "i"}}]
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "from": st.integers(0, 16),
    "size": SMALL,
    "_source": SOURCES,
    "fields": st.lists(PATTERNS | fixed(field=FIELDS), max_size=3),
    "stored_fields": PATTERNS | SOME | st.just("_none_"),
    "docvalue_fields": st.lists(st.sampled_from(["n", "tags", "title.kw", "n*"]), max_size=2),
    "script_fields": st.just({"s": {"script": "1+1"}}),
    "sort": SORT_KEYS | st.lists(SORT_KEYS, max_size=3),
    "track_total_hits": st.booleans() | SMALL,
    "track_scores": st.booleans(),
    "min_score": st.sampled_from([0.001, 0.1, 99]),
    "explain": st.booleans(),
    "version": st.booleans(),
    "seq_no_primary_term": st.booleans(),
    "highlight": fixed(fields=st.dictionaries(PATTERNS, st.just({}), max_size=2)),
    "aggs": st.just({"a": {"terms": {"field": "tags"}}}),
    "suggest": st.just({"s": {"text": "quikc", "term": {"field": "title"}}}),
    "post_filter": LEAVES,
    "collapse": st.sampled_from(COLLAPSES),
    "terminate_after": st.integers(1, 10),
    "indices_boost": st.just([{"odd": 2.0}]),
    "timeout": st.just("10s"),
    "stats": st.just(["a"]),
    "rare": st.sampled_from(["rescore", "search_after", "slice", "nosuch"]),
}
FLAG = st.sampled_from(["", "true", "false"])
PATHS = st.sampled_from(
    [
        *("took", "hits", "hits.hits", "hits.hits._id", "hits.hits._source", "hits.hits._source.title", "_shards"),
        *(
            "hits.hits._score",
            "hits.hits.fields",
            "hits.hits.sort",
            "hits.hits.highlight",
            "hits.total",
            "**",
            "**._id",
        ),
        *("hits.max_score", "h*.h*", "-took", "-_shards", "-hits.total", "-hits.hits._source", "-hits.hits._score"),
        *("-hits.hits._source.n", "-hits.hits.fields", "-**.n", "aggregations", "hits.hits._*", "-hits.hits._index"),
    ]
)
PARAMETERS: dict[str, st.SearchStrategy[str]] = {
    "pretty": FLAG,
    "filter_path": st.lists(PATHS, min_size=1, max_size=3).map(",".join),
    "q": WORDS,
    "df": TEXT_FIELDS,
    "from": st.integers(0, 16).map(str),
    "size": SMALL.map(str) | st.sampled_from(["", "-1", "x", "+5", "007"]),
    "sort": st.sampled_from(["_score", "_score:desc", "n", "n:desc,_score", "_score,n:asc", ""]),
    "_source": FLAG | PATTERNS,
    "_source_includes": PATTERNS,
    "_source_excludes": PATTERNS,
    "stored_fields": PATTERNS,
    "docvalue_fields": st.sampled_from(["n", "tags"]),
    "track_total_hits": FLAG,
    "rest_total_hits_as_int": FLAG,
    "typed_keys": FLAG,
    "explain": FLAG,
    "version": FLAG,
    "routing": st.sampled_from(["7", "a b"]),
    "preference": st.sampled_from(["_local", "ü"]),
    "ignore_unavailable": FLAG,
    "search_type": st.sampled_from(["dfs_query_then_fetch", "query_then_fetch", "x"]),
    "terminate_after": st.just("3"),
    "format": st.sampled_from(["json", "json", "yaml"]),
    "nosuch": st.just("1"),
}
TARGETS = st.sampled_from(["/odd/_search"] * 6 + ["/shards-1/_search", "/both/_search", "/odd,narrow/_search"])


@st.composite
def some(draw: st.DrawFn, strategies: dict[str, st.SearchStrategy[Any]], most: int) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(strategies)), unique=True, max_size=most))
    return {name: draw(strategies[name]) for name in names}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A search body; now and then with a member of any shape."""
    found, generated = draw(MATCHING), draw(QUERIES)
    queries = (
        found,
        {"bool": {"should": [found, generated]}},
        {"bool": {"must": found, "should": generated}},
        generated,
    )
    body = {"query": queries[draw(st.integers(0, 3))], **draw(some(MEMBERS, 4))}
    if "rare" in body:
        body[body.pop("rare")] = draw(JSON_VALUES)
    if draw(st.integers(0, 20)) == 13:  # not the edges of a range: hypothesis likes them
        body[draw(st.sampled_from(["query", *body]))] = draw(JSON_VALUES)
    return body


QUERY_STRINGS = some(PARAMETERS, 3).map(
    lambda named: "&".join(f"{quote(name)}={quote_plus(value)}" for name, value in named.items())
)


@st.composite
def searches(draw: st.DrawFn) -> Request:
    """A search as a client may send it."""
    kind = draw(st.sampled_from(range(20)))  # a body mostly; else a search in the URL, any JSON, any URL
    body = draw(bodies()) if kind < 17 else draw(JSON_VALUES) if kind == 17 else None
    query = draw(QUERY_STRINGS) if kind < 19 else draw(st.text("aq=&%+;", max_size=8))
    raw = json.dumps(body).encode() if body is not None else b""
    codings = (("Accept-Encoding", "gzip"),) if draw(st.booleans()) else ()
    headers = ((("Content-Type", "application/json"),) if raw else ()) + codings
    target = draw(TARGETS) + (f"?{query}" if query else "")
    return Request("POST" if raw else "GET", target, headers, raw)
