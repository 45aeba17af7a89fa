"""Which Solr searches are reranked, and what Solr is asked in their place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ExchangePlan, PassThrough, Policy, Reason, Request, TextField
from connectors.solr import Solr
from tests.connectors.solr_replies import (
    FORM,
    JSON,
    SELECT,
    Told,
    decided,
    json_request,
    parameters_of,
    planned,
    request,
    search_of,
)

RERANKED = [
    "wt=json", "indent=true", "json.nl=map", "omitHeader=true", "echoParams=all", "echoHandler=true", "NOW=1",
    "TZ=UTC", "start=3", "start=0019", "rows=1", "rows=1000", "fl=id", "fl=*,score", "fl=id&fl=title,s:score",
    "fl=[docid]", "fl=sum(n,1),x:[subquery]&x.q=y", "fl=id,[explain style=nl]", "sort=score desc",
    "sort=score DESC, n asc", "sort=", "fq=n:1", "fq={!collapse field=n}", "fq={!cache=false}n:1", "mm=2", "tie=0.1",
    "pf=title", "ps=1", "sow=true", "q.op=AND", "df=body", "bq=n:1", "bf=n", "boost=n", "hl=true&hl.fl=title",
    "hl.method=unified", "facet=true&facet.field=n", "json.facet={x:'sum(n)'}", "json.facet.x={type:terms,field:n}",
    "stats=true", "debug=true", "debugQuery=true", "spellcheck=true", "suggest=true", "timeAllowed=100",
    "cpuAllowed=10", "minExactCount=10", "shards=a,b", "_route_=a", "shards.tolerant=true", "shards.info=true",
    "collection=other", "preferLocalShards=true", "distrib=false", "group=false", "expand=false", "isShard=false",
    "elevateIds=a", "enableElevation=false", "cache=false", "user.name=x", "rq=", "terms=true", "expandMacros=false",
    "logParamsList=q", "mlt=false", "useParams=some",
]  # fmt: skip

PASSED: list[tuple[str, Reason]] = [
    ("wt=xml", Reason.REPLY_FORMAT),
    ("wt=javabin", Reason.REPLY_FORMAT),
    ("wt=csv", Reason.REPLY_FORMAT),
    ("json.wrf=callback", Reason.REPLY_FORMAT),
    ("rows=0", Reason.SIZE_ZERO),
    ("rows=-1", Reason.BODY_SHAPE),
    ("rows=ten", Reason.BODY_SHAPE),
    ("start=1.5", Reason.BODY_SHAPE),
    ("rows=99999999999", Reason.BODY_SHAPE),
    ("start=20", Reason.BEYOND_WINDOW),
    ("sort=n desc", Reason.SORTED),
    ("sort=score asc", Reason.SORTED),
    ("sort=sum(score,n) desc", Reason.SORTED),
    ("sort=n asc,score desc", Reason.SORTED),
    ("cursorMark=*&sort=score desc,id asc", Reason.SEARCH_AFTER),
    ("group=true&group.field=n", Reason.GROUPED),
    ("fq={!collapse field=n}&expand=true", Reason.COLLAPSE_INNER_HITS),
    ("rq={!rerank reRankQuery=$x}&x=a", Reason.RESCORE),
    ("rq={!ltr model=m}", Reason.RESCORE),
    ("mlt=true&mlt.fl=title", Reason.COMPONENT),
    ("tv=true", Reason.COMPONENT),
    ("clustering=true", Reason.COMPONENT),
    ("fl=*,[child]", Reason.FIELD_LIST),
    ("fl=id;title", Reason.FIELD_LIST),
    ("isShard=true", Reason.SHARD_REQUEST),
    ("qt=/other", Reason.BODY_SHAPE),
    ("ie=latin1", Reason.BODY_SHAPE),
    ("json.limit=5", Reason.BODY_SHAPE),
    ("json.query=x", Reason.BODY_SHAPE),
    ("json.params.rows=5", Reason.BODY_SHAPE),
    ("json=[1]", Reason.NOT_JSON),
    ("x=%C3", Reason.BODY_SHAPE),
    ("x=%zz", Reason.BODY_SHAPE),
    ("x=a${x}", Reason.BODY_SHAPE),
]


@pytest.mark.parametrize("parameters", RERANKED)
def test_parameters_that_are_reranked(parameters: str) -> None:
    """A search with these is reranked, whatever else they ask for."""
    plan = planned(request(f"q=title:fox&{parameters}"))
    assert search_of(plan).query_text == "fox"


@pytest.mark.parametrize(("parameters", "reason"), PASSED)
def test_parameters_that_pass_through(parameters: str, reason: Reason) -> None:
    """A search with these is left alone, for its own reason."""
    assert decided(request(f"q=title:fox&{parameters}")) == PassThrough(reason)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("limit", None),
        ("offset", None),
        ("fields", None),
        ("filter", None),
        ("sort", None),
        ("limit", []),
        ("sort", []),
    ],
)
def test_a_member_without_a_value_passes_through(member: str, value: object) -> None:
    """Solr 9.10.1 answers these with errors of its own, some of them in a cloud alone, which our values would hide."""
    assert decided(json_request({"query": "title:fox", member: value})) == PassThrough(Reason.BODY_SHAPE)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [({"rescore": "rerank"}, "rq={!rerank reRankQuery=$x}"), ({"sort_override": True}, "sort=n desc")],
)
def test_settings_that_rerank_more(settings: dict[str, Any], parameters: str) -> None:
    """What passes through by default is reranked where the configuration says so."""
    assert isinstance(decided(request(f"q=title:fox&{parameters}"), policy=Policy(**settings)), ExchangePlan)


def test_a_mode_that_is_off_passes_through() -> None:
    """Where reranking is off, nothing is asked."""
    told = Told()
    assert decided(request(), told, Policy(is_on=False)) == PassThrough(Reason.MODE_OFF)
    assert not told.targets


SHARD_ASKED = "_rerank_bridge_shard_:[shard]"
WIDENED: list[tuple[str, dict[str, str]]] = [
    ("q=title:fox", {"json.offset": "0", "json.limit": "20", "json.fields": f'"*,score,{SHARD_ASKED}"'}),
    ("q=title:fox&fl=*,score", {"json.offset": "0", "json.limit": "20"}),
    ("q=title:fox&fl=", {"json.offset": "0", "json.limit": "20", "json.fields": f'"*,score,{SHARD_ASKED}"'}),
    ("q=title:fox&fl=n,s:score", {"json.offset": "0", "json.limit": "20", "json.fields": '"id,title"'}),
    ("q=_text_:fox&fl=id", {"json.offset": "0", "json.limit": "20", "json.fields": f'"title,*_t,score,{SHARD_ASKED}"'}),
    ("q=fox&fl=id", {"json.offset": "0", "json.limit": "20", "json.fields": f'"title,body,*_t,score,{SHARD_ASKED}"'}),
    ("q=title:fox&start=15&rows=10&fl=*,score", {"json.offset": "0", "json.limit": "25"}),
]


@pytest.mark.parametrize(("query", "added"), WIDENED)
def test_what_is_asked_beside(query: str, added: dict[str, str]) -> None:
    """The window and the page are asked for, with the score, the key and the texts that the client does not see."""
    plan = planned(request(query))
    asked = parameters_of(plan)
    assert {name: value for name, value in asked.items() if name.startswith("json.")} == added
    assert plan.request.target.startswith(f"/solr/c/select?{query}&")


def test_forms_and_json_bodies_stay_as_they_came() -> None:
    """What is added stands in the URL; a body keeps its bytes and its header fields."""
    form = Request("POST", "/solr/c/select", FORM, b"q=title%3Afox&rows=2")
    for asked in (form, json_request({"query": "title:fox", "limit": 2})):
        plan = planned(asked)
        assert plan.request.body == asked.body
        assert plan.request.headers == asked.headers
        assert parameters_of(plan)["json.limit"] == "20"
        assert search_of(plan).size == 2


def test_codings_that_are_not_read_are_not_asked_for() -> None:
    """Solr is told the codings that can be undone here, and no lengths of other requests."""
    headers = (("Accept-Encoding", "br, gzip"), ("Authorization", "Basic x"))
    asked = Request("GET", "/solr/c/select?q=title:fox", headers)
    assert planned(asked).request.headers == (("Authorization", "Basic x"), ("Accept-Encoding", "gzip"))


JSON_BODIES: list[tuple[Mapping[str, Any], str, int, int]] = [
    ({"query": "title:fox"}, "fox", 0, 10),
    ({"query": {"edismax": {"query": "quick fox", "qf": "title body"}}, "offset": 2, "limit": 5}, "quick fox", 2, 5),
    ({"query": {"lucene": {"query": "fox", "df": "title"}}}, "fox", 0, 10),
    ({"query": {"bool": {"must": [{"lucene": "x"}, {"field": {"f": "title", "query": "red fox"}}]}}}, "", 0, 0),
    ({"query": {"bool": {"must": ["title:fox", {"field": {"f": "title", "query": "red fox"}}]}}}, "red fox", 0, 10),
    ({"query": {"#tag": {"field": {"f": "title", "query": "red fox"}}}}, "red fox", 0, 10),
    ({"query": {"param": "qq"}, "queries": {"qq": "title:fox"}}, "fox", 0, 10),
    ({"query": {"param": "qq"}, "params": {"qq": "title:fox"}}, "fox", 0, 10),
    ({"query": {"boost": {"query": {"dismax": {"qf": "title", "query": "red fox"}}, "b": "n"}}}, "red fox", 0, 10),
    ({"query": "fox", "params": {"defType": "edismax", "qf": ["title"], "rows": 3, "start": 1}}, "fox", 1, 3),
    ({"query": "title:fox", "params": {"rows": 3}, "limit": 4}, "fox", 0, 4),
    ({"query": "title:${x}", "params": {"x": "fox"}}, "fox", 0, 10),
    ({"params": {"q": "title:fox", "hl": True}}, "fox", 0, 10),
    ({"query": "title: fox", "params": {"defType": "dismax"}}, "title: fox", 0, 10),
    ({"query": {"lucene": {"query": "title:fox"}}, "params": {"defType": "dismax"}}, "fox", 0, 10),
]


@pytest.mark.parametrize(("body", "text", "start", "size"), JSON_BODIES)
def test_json_requests_are_read(body: Mapping[str, Any], text: str, start: int, size: int) -> None:
    """The JSON request API is read with its query DSL, its parameters and its own names for what a page is."""
    plan = decided(json_request(body))
    if not text:
        assert plan == PassThrough(Reason.BODY_SHAPE)
        return
    assert isinstance(plan, ExchangePlan)
    search = search_of(plan)
    assert (search.query_text, search.start, search.size) == (text, start, size)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"query": "title:fox", "sort": "n desc"}, Reason.SORTED),
        ({"query": "title:fox", "limit": 0}, Reason.SIZE_ZERO),
        ({"query": "title:fox", "params": {"group": True}}, Reason.GROUPED),
        ({"query": "title:fox", "params": {"wt": "xml"}}, Reason.REPLY_FORMAT),
        ({"query": {"edismax": {}, "dismax": {}}}, Reason.BODY_SHAPE),
        ({"query": {"knn": {"f": "v", "query": "[1,2]"}}}, Reason.VECTOR_SEARCH),
        ({"query": "*:*", "filter": "title:fox"}, Reason.NO_QUERY_TEXT),
        (b"{query: 'title:fox'}", Reason.NOT_JSON),
        (b"[1]", Reason.NOT_JSON),
        (b"\xff", Reason.BODY_SHAPE),
    ],
)
def test_json_requests_that_pass_through(body: object, reason: Reason) -> None:
    """What a JSON body asks for passes through for the same reasons as in a URL."""
    assert decided(json_request(body)) == PassThrough(reason)


BODIES: list[tuple[str, bytes, str, Reason | None]] = [
    ("application/x-www-form-urlencoded; charset=UTF-8", b"q=title:fox", "", None),
    ("application/x-www-form-urlencoded; charset=latin1", b"q=title:fox", "", Reason.CONTENT_TYPE),
    ("application/x-www-form-urlencoded", b'{"query":"title:fox"}', "curl/8.0", None),
    ("application/x-www-form-urlencoded", b'{"query":"title:fox"}', "other", Reason.NO_QUERY_TEXT),
    ("text/json", b'{"query":"title:fox"}', "", None),
    ("application/javabin", b"\x02", "", Reason.CONTENT_TYPE),
    ("multipart/form-data; boundary=x", b"--x", "", Reason.CONTENT_TYPE),
    ("", b"q=title:fox", "", Reason.CONTENT_TYPE),
]


@pytest.mark.parametrize(("media_type", "body", "agent", "reason"), BODIES)
def test_bodies_are_read_by_their_type(media_type: str, body: bytes, agent: str, reason: Reason | None) -> None:
    """Forms and JSON are read, JSON that curl calls a form as well, other bodies are left alone."""
    headers = (("Content-Type", media_type),) if media_type else ()
    plan = decided(Request("POST", "/solr/c/select", (*headers, ("User-Agent", agent)), body))
    assert (plan.reason if isinstance(plan, PassThrough) else None) is reason


def test_large_and_broken_bodies_are_left_alone() -> None:
    """A body over its limit, or in a coding that is not known, is not read."""
    asked = json_request({"query": "title:fox"})
    assert decided(asked, policy=Policy(max_body_bytes=3)) == PassThrough(Reason.BODY_TOO_LARGE)
    coded = replace(asked, headers=(*JSON, ("Content-Encoding", "br")))
    assert decided(coded) == PassThrough(Reason.CONTENT_ENCODING)


def handled(**parts: Any) -> Told:
    return Told({"class": "solr.SearchHandler", **parts})


def test_defaults_of_the_handler_are_read() -> None:
    """Words, fields and page are those that the handler makes of the request."""
    told = handled(defaults={"defType": "edismax", "qf": "title^2 body", "rows": 3, "fl": "id"})
    search = search_of(planned(request("q=quick+fox"), told))
    assert (search.query_text, search.size) == ("quick fox", 3)
    assert search.text_fields == (TextField("title"), TextField("body"))
    assert parameters_of(planned(request("q=quick+fox"), told))["json.fields"].startswith('"title,body,score')


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"defaults": {"wt": "xml"}}, Reason.REPLY_FORMAT),
        ({"defaults": {"sort": "n desc"}}, Reason.SORTED),
        ({"invariants": {"group": "true"}}, Reason.GROUPED),
        ({"appends": {"rq": "{!rerank}"}}, Reason.RESCORE),
        ({"defaults": {"rows": 0}}, Reason.SIZE_ZERO),
        ({"invariants": {"q": "*:*"}}, Reason.NO_QUERY_TEXT),
    ],
)
def test_what_the_handler_adds_passes_through(parts: dict[str, Any], reason: Reason) -> None:
    """What the handler adds counts as what the client says."""
    assert decided(request(), handled(**parts)) == PassThrough(reason)


def test_pages_that_the_handler_holds_to_a_size_stay_so() -> None:
    """Where the handler fixes how many hits there are, no more are asked for."""
    plan = planned(request("q=title:fox&rows=50&start=4"), handled(invariants={"rows": "5"}))
    assert (parameters_of(plan)["json.offset"], parameters_of(plan)["json.limit"]) == ("4", "5")
    assert (search_of(plan).start, search_of(plan).size) == (0, 5)


def test_initial_parameters_and_parameter_sets_are_read() -> None:
    """Parameters that the configuration keeps elsewhere are known: the handler's own win over initial ones."""
    sets = {"shop": {"qf": "title", "": {"v": 0}, "_invariants_": {"rows": "7"}}, "gone": "[NOT AVAILABLE]"}
    told = Told(
        {"defaults": {"qf": "body"}, "useParams": "shop,gone", "_useParamsExpanded_": sets},
        init_params=[
            {"path": "/other", "defaults": {"sort": "n asc"}},
            {"path": "/up/**,/sel*", "defaults": {"defType": "edismax", "qf": "n"}},
        ],
    )
    search = search_of(planned(request("q=fox"), told))
    assert (search.text_fields, search.size) == ((TextField("title"),), 7)


def test_parameter_sets_of_a_request_are_asked_for() -> None:
    """The sets that a request names are asked for with its handler."""
    told = Told()
    decided(request("q=title:fox&useParams=a,b"), told)
    assert "/solr/c/config/requestHandler?componentName=/select&expandParams=true&useParams=a%2Cb" in told.targets


def test_where_the_configuration_is_closed_the_handler_itself_is_asked() -> None:
    """A client that may search, but not read the configuration, is told by an echo what the handler adds."""
    told = Told(None, echo={"defType": "edismax", "qf": "title", "rows": "3", "fq": "-*:*", "echoParams": "all"})
    search = search_of(planned(request("q=fox"), told))
    assert (search.text_fields, search.size) == ((TextField("title"),), 3)
    assert told.targets[-1] == "/solr/c/select?echoParams=all&fq=-*:*"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("q=title:fox&fl=id&rows=5", None),
        ("q=title:fox&rows=5", Reason.HANDLER_UNKNOWN),
        ("q=title:fox&fl=id", Reason.HANDLER_UNKNOWN),
    ],
)
def test_where_nothing_is_told_a_search_has_to_say_all(query: str, reason: Reason | None) -> None:
    """With a handler that is not known, only a search is reranked that says itself what could be added."""
    plan = decided(request(query), Told(None, None))
    assert (plan.reason if isinstance(plan, PassThrough) else None) is reason


def test_questions_are_asked_in_the_name_of_the_client() -> None:
    """Questions carry who asks, at the path of the client's collection, and nothing of the one search."""
    asked = Request("GET", "/api/collections/c/select?q=title:fox", (("Authorization", "x"), ("User-Agent", "y")))
    questions = Solr().plan(asked, lambda _: Policy(), {})
    assert not isinstance(questions, ExchangePlan | PassThrough)
    assert {question.request.headers for question in questions.questions} == {(("Authorization", "x"),)}
    assert {question.request.target for question in questions.questions} == {
        "/api/collections/c/config/requestHandler?componentName=/select&expandParams=true",
        "/api/collections/c/config/initParams",
        "/api/collections/c/schema",
    }


TEXTS: list[tuple[str, Policy, tuple[str, ...]]] = [
    ("q=title:fox", Policy(), ("title",)),
    ("q=fox&defType=edismax&qf=body^2 title", Policy(), ("body", "title")),
    ("q=fox&df=_text_", Policy(), ("title", "*_t")),
    ("q=fox", Policy(), ("title", "body", "*_t")),
    ("q=n:fox&df=n", Policy(), ("n",)),
    ("q=title:fox", Policy(text_fields=(TextField("body", "b"),)), ("body",)),
    ("q=title:fox&fl=t:title", Policy(), ("t",)),
]


@pytest.mark.parametrize(("query", "policy", "names"), TEXTS)
def test_fields_that_are_read(query: str, policy: Policy, names: tuple[str, ...]) -> None:
    """The model reads the configured fields, those of the query, or all that hold text."""
    assert tuple(field.name for field in search_of(planned(request(query), policy=policy)).text_fields) == names


def test_words_that_are_configured_may_stand_in_a_parameter() -> None:
    """``query_pointer`` and ``query_text`` lead to parameters."""
    policy = Policy(query_pointer="/user_words", query_text="{q} in {/shop}, {/size/1}")
    search = search_of(planned(request("q=*:*&user_words=red+shoes&shop=London&size=8&size=9"), policy=policy))
    assert search.query_text == "red shoes in London, 9"


def test_boosts_and_other_orders_are_told() -> None:
    """A plan says whether documents are raised by more than words, and whether its order is another."""
    assert search_of(planned(request("q=fox&defType=edismax&qf=title&bq=n:1"))).has_boosts
    overridden = planned(request("q=title:fox&sort=n+desc"), policy=Policy(sort_override=True))
    assert search_of(overridden).is_reordered
    assert json.loads(parameters_of(overridden)["json.sort"]) == "score desc"


def test_whether_documents_are_on_top_is_asked_where_they_may_be() -> None:
    """A handler with components of its own may have some documents stand on top."""
    told = Told({**SELECT, "last-components": ["elevator"]})
    assert parameters_of(planned(request("q=title:fox&fl=*,score"), told))["json.fields"].endswith(':[elevated]"')


def test_the_parameter_collection_says_what_is_searched() -> None:
    """The policy is that of the collections that are searched, by the path or by the parameter."""
    seen: list[tuple[str, ...]] = []

    def policy_of(indices: tuple[str, ...]) -> Policy:
        seen.append(indices)
        return Policy(is_on=False)

    for target in ("/solr/a,b/select?q=x", "/solr/a/select?q=x&collection=c,d"):
        Solr().plan(Request("GET", target, ()), policy_of, {})
    assert seen == [("a", "b"), ("a",), ("c", "d")]


PARTS = st.sampled_from(
    [*(name.partition("=")[0] for name in RERANKED), "json", "q", "defType", "qf", "useParams", "{!", "${a}", "%", "&"]
) | st.text(max_size=6)


@given(
    pairs=st.lists(
        st.tuples(PARTS, PARTS | st.sampled_from(["true", "5", '{"query":{"bool":{"must":1}}}'])), max_size=6
    ),
    raw=st.text(max_size=20),
    body=st.binary(max_size=40) | st.sampled_from([b"{}", b'{"query":{}}', b'{"params":[]}', b'{"limit":{}}']),
    media_type=st.sampled_from([JSON[0][1], FORM[0][1], "text/plain", ""]),
)
def test_any_request_is_planned(pairs: list[tuple[str, str]], raw: str, body: bytes, media_type: str) -> None:
    """No URL and no body raise anything: a search is planned, or left alone for a reason."""
    query = urlencode(pairs, errors="replace")
    asked = Request("POST", f"/solr/c/select?{query}{raw}", (("Content-Type", media_type),), body)
    for told in (Told(), Told(None, None), handled(defaults=dict(pairs), invariants={raw: raw})):
        assert isinstance(decided(asked, told), ExchangePlan | PassThrough)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["schema", "fields", "name", "config", "requestHandler", "/select", "defaults", "initParams", "path", "responseHeader", "params", "fieldTypes", "copyFields", "useParams", "_useParamsExpanded_"]), inner, max_size=4), max_leaves=20))  # fmt: skip  # noqa: E501
def test_any_answer_about_solr_is_taken(content: object) -> None:
    """Whatever Solr says of itself, a search is planned, or left alone for a reason."""

    class Odd(Told):
        def of(self, question: Any) -> Any:
            return replace(super().of(question), status=200, body=json.dumps(content).encode())

    assert isinstance(decided(request(), Odd()), ExchangePlan | PassThrough)
