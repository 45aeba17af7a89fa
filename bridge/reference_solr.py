"""The section on Solr of the page on what is reranked, made from what the connector does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from connectors._solr_parameters import Parameters, gathered
from connectors._solr_schema import LAST_RESORT, MAX_FIELDS, TEXT
from connectors._solr_words import PARSERS, read_words
from connectors.base import PassThrough, Policy, Question, Questions, Reply, Request
from connectors.query_text import QueryText
from connectors.solr import HANDLERS, Solr

_SECTION = """## Solr

The bridge looks at `GET` and `POST` of these request handlers, and of those in `solr_handlers`: {handlers}; below
`/solr/COLLECTION`, `/api/collections/COLLECTION`, `/api/c/COLLECTION` and `/api/cores/CORE`. Parameters are read from
the URL, from forms and from JSON bodies (`/query`), JSON's own query language with them. Updates, `/export`, `/stream`
and all else pass through untouched.

What a handler adds to a search (`defaults`, `appends`, `invariants`, `initParams`, parameter sets) is asked of the
config API with the client's own credentials, once a minute. Where the client may not read that, the handler is asked
itself, by a search that finds nothing, with `echoParams=all`. Where that fails too, only searches are reranked that say
themselves which fields (`fl`) and how many hits (`rows`) they want. A handler whose invariants hold `rows` or `start`
has its pages reranked as they are.

### Where the user's words are found in Solr

In `q`, as the parser reads it that `defType` or the query itself names; references (`$qq`), queries within queries and
macros (`${{q}}`) are followed. In `edismax`, a name in front of a colon is a field where the schema and `uf` say so.
`query_pointer` and `query_text` lead to parameters: `/user_words`. `bq`, `bf`, `boost` and `{{!boost}}` are what
`boost_weight` is about. Words in `fq` select, they don't rank, and `promote` does not concern them.

| parameters | words and fields, or the reason to pass through |
| --- | --- |
{queries}

Read by other parsers than these, a query has no words: {parsers}.

### Parameters

| beside `q=title:fox` | what happens |
| --- | --- |
{parameters}

All others, such as facets, statistics, spelling and `timeAllowed`, don't matter. Documents that the elevation component
puts on top stay there. Collapsed hits are reranked as the heads of their groups.

### What the model reads of a document

The fields that the query names (`qf`, aliases followed; fields in front of words; `df`), in that order. A field that
documents don't show, such as one that all texts are copied into, is read in the fields that it is copied from. Where
nothing is named, the schema says which fields hold text ({text}; where there are none, {last_resort}), {max_fields} at
most, in the order of the document. Of dynamic fields, all that fit are read. `long_documents: highlight` is as
`truncate`.

### What is different in a reranked reply of Solr

The order and cut of `response.docs`; `score`, under any name that `fl` gives it, and `maxScore` (with
`score_policy: replace`, but for elevated documents); `QTime`; and the headers. Highlights and explanations are those of
the page's documents, in its order; with `debug`, explanations are the engine's. Members of a JSON object may stand in
another order in two places: in `responseHeader.params` with `echoParams=all`, and in documents of which Solr would have
read all fields that the client asks for from doc values. With `minExactCount`, `numFound` may be more exact. What
`debug.track` and `shards.info` say of shards is about the wider search. A search over shards that finds nothing is
asked once more as it came, unless it asks for scores.
"""

_QUERIES: tuple[Mapping[str, str], ...] = (
    {"q": "title:fox AND body:jumps"},
    {"q": "quick fox", "df": "title"},
    {"q": "quick fox", "defType": "edismax", "qf": "title^2 body"},
    {"q": "trek: the movie", "defType": "edismax", "qf": "title"},
    {"q": "+quick -dog", "defType": "dismax", "qf": "title"},
    {"q": "", "defType": "edismax", "q.alt": "title:fox"},
    {"q": "{!edismax qf=$fields v=$qq}", "qq": "quick fox", "fields": "title body"},
    {"q": '+_query_:"{!dismax qf=title v=$qq}" +n:1', "qq": "quick fox"},
    {"q": "{!boost b=n}title:fox"},
    {"q": "{!bool must=$a should=$b}", "a": "{!edismax qf=title}quick fox", "b": "body:jumps"},
    {"q": "{!field f=title}quick fox"},
    {"q": "{!parent which=kind:page}text:fox"},
    {"q": "{!knn_text_to_vector model=m f=vector topK=10}quick fox"},
    {"q": "{!knn f=vector topK=10}[1.0, 2.0]"},
    {"q": "{!mlt qf=title}id1"},
    {"q": "{!prefix f=title}qui"},
    {"q": "wireless h", "df": "title"},
    {"q": "*:*", "fq": "title:fox"},
)

_PARAMETERS = (
    *("start=5", "rows=50", "rows=0", "start=100", "cursorMark=*"),
    *("sort=score desc,n asc", "sort=n desc"),
    *("fl=id,score", "fl=s:score,t:title,sum(n,1),[docid],a*", "fl=*,[child]"),
    *("wt=json", "wt=xml", "wt=javabin", "json.wrf=callback", "json.nl=map"),
    *("json.facet={}", "json.limit=5"),
    *("hl=true", "facet=true", "debug=true", "mlt=true", "tv=true", "clustering=true"),
    *("group=true", "fq={!collapse field=n}", "expand=true", "rq={!rerank reRankQuery=$x}"),
    *("shards=a,b", "collection=other", "isShard=true", "qt=/other", "ie=latin1"),
)
_NAMED_FIELDS = frozenset({"title", "body", "text", "n"})


def section() -> str:
    """The section, with a heading."""
    return _SECTION.format(
        handlers=_code(HANDLERS),
        queries="\n".join(map(_query_row, _QUERIES)),
        parsers=_code(PARSERS),
        parameters="\n".join(f"| `{name}` | {_outcome(name)} |" for name in _PARAMETERS),
        text=_code(sorted(TEXT)),
        last_resort=_code(sorted(LAST_RESORT)),
        max_fields=MAX_FIELDS,
    )


def _query_row(pairs: Mapping[str, str]) -> str:
    policy = Policy()
    parameters = Parameters(gathered(pairs.items()))
    meant = read_words(parameters, _NAMED_FIELDS.__contains__, policy.min_last_word_letters).words
    where = f" in {_code(meant.fields)}" if isinstance(meant, QueryText) and meant.fields else ""
    said = f"{meant.text}{where}" if isinstance(meant, QueryText) else f"reason `{meant}`"
    return f"| {'<br>'.join(f'`{name}={value}`' for name, value in pairs.items())} | {said} |"


def _outcome(parameter: str) -> str:
    """What becomes of a search with this parameter, by a handler that can't be asked."""
    name, _, value = parameter.partition("=")
    own = "" if name == "fl" else "&fl=*,score"
    own += "" if name == "rows" else "&rows=10"
    request = Request("GET", f"/solr/c/select?q=title:fox{own}&{name}={quote(value)}", ())
    answers: dict[Question, Reply | None] = {}
    plan = Solr().plan(request, _policy, answers)
    while isinstance(plan, Questions):
        answers |= dict.fromkeys(plan.questions)
        plan = Solr().plan(request, _policy, answers)
    return f"reason `{plan.reason}`" if isinstance(plan, PassThrough) else "reranked"


def _policy(indices: tuple[str, ...]) -> Policy:
    del indices
    return Policy()


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
