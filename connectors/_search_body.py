"""The search request that Elasticsearch and OpenSearch share -> a plan, or why the search is left alone.

Sources: "Search API", Elasticsearch 7.10 to 9 and OpenSearch 1.3 to 3 manuals. The widened request differs in ``from``
and ``size``, and in what ``connectors._widening`` asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from connectors import _codings, _promote, _sort_override, configured_words, query_text
from connectors._dialect import Dialect
from connectors._pipelines import Pipeline, pipeline_of
from connectors._protected import BOOSTS
from connectors._questions import Asker
from connectors._raw_json import RawJsonError, decode, with_members
from connectors._search_request import DeclinedError, Search, count, is_by_score, read, sort_keys
from connectors._sizes import DEFAULT_SIZE, Fetch, Pin, fetch_of, limit_of, pinned, pins_of
from connectors._texts import are_texts, renamed, texts_of
from connectors._widening import widen
from connectors.base import Answers, PassThrough, Policy, Question, Questions, Reason, Request, SearchPlan

_REWRITTEN = frozenset({"content-length", "content-encoding", "transfer-encoding", "accept-encoding", "x-rerank"})
_RERANKERS = frozenset({"rerank", "mmr"})
"""Members of ``ext`` that OpenSearch's own rerankers read: "Rerank processor", "Vector search with MMR reranking"."""


def plan_search(
    request: Request, policy: Policy, indices: tuple[str, ...], answers: Answers, dialect: Dialect
) -> SearchPlan | PassThrough | Questions:
    """The widened search, or why it is left alone, or what the engine has to be asked first."""
    if not policy.is_on:
        return PassThrough(Reason.MODE_OFF, pattern=policy.pattern)
    try:
        return _plan(request, policy, indices, answers, dialect)
    except DeclinedError as declined:
        return PassThrough(declined.reason, pattern=policy.pattern)
    except _codings.TooLargeError:
        return PassThrough(Reason.BODY_TOO_LARGE, pattern=policy.pattern)
    except _codings.CodingError:
        return PassThrough(Reason.CONTENT_ENCODING, pattern=policy.pattern)
    except RawJsonError:
        return PassThrough(Reason.NOT_JSON, pattern=policy.pattern)


def _plan(
    request: Request, policy: Policy, indices: tuple[str, ...], answers: Answers, dialect: Dialect
) -> SearchPlan | Questions:
    search = read(request, policy)
    for reason, applies in _REFUSALS:
        if applies(search, policy):
            raise DeclinedError(reason)
    overrides_sort = _overrides_sort(search, policy)
    start, size = _page(search, policy)
    meant, promoted = _meaning(search, policy)
    asker = Asker(request, () if "pit" in search.body_members else indices, search.parameters, answers)
    pipeline = _pipeline(asker, search, dialect)
    texts = texts_of(asker, policy, meant.fields)
    is_text = not meant.is_of_terms or are_texts(asker, meant.fields)
    if isinstance(pipeline, Question) or isinstance(texts, Question) or isinstance(is_text, Question):
        return Questions(tuple(part for part in (pipeline, texts, is_text) if isinstance(part, Question)))
    if not is_text:
        raise DeclinedError(Reason.NO_QUERY_TEXT)
    texts = renamed(texts, pipeline.renames)
    fetch = _fetch(search, policy, start, size, counts_hits=pipeline.counts_hits)
    widening = widen(search, texts, policy, overrides_sort=overrides_sort)
    wanted = {"from": fetch.start, "size": fetch.size, **widening.body}
    if promoted is not None:
        wanted["query"] = promoted
    return SearchPlan(
        request=_widened_request(request, search, wanted, widening.parameters, _pins(search, size, promoted)),
        query_text=meant.text,
        text_fields=texts.fields,
        start=start - fetch.start,
        size=size,
        policy=policy,
        indices=indices,
        has_boosts="q" not in search.parameters and not BOOSTS.isdisjoint(query_text.clause_kinds(_decoded(search))),
        is_reordered=overrides_sort or promoted is not None,
        restore=widening.restore,
    )


def _pipeline(asker: Asker, search: Search, dialect: Dialect) -> Pipeline | Question:
    if not dialect.has_search_pipelines:
        if search.has("search_pipeline"):
            raise DeclinedError(Reason.SEARCH_PIPELINE)
        return Pipeline()
    found = pipeline_of(asker, search.parameters.get("search_pipeline"), search.value("search_pipeline"))
    if isinstance(found, Reason):
        raise DeclinedError(found)
    return found


def _fetch(search: Search, policy: Policy, start: int, size: int, *, counts_hits: bool) -> Fetch:
    return fetch_of(start, size, policy.window, 0 if counts_hits else limit_of(_decoded(search)))


def _pins(search: Search, size: int, promoted: object) -> tuple[Pin, ...]:
    pins = pins_of(_decoded(search), size)
    if pins and promoted is not None:  # both would change the query
        raise DeclinedError(Reason.VECTOR_SEARCH)
    return pins


def _decoded(search: Search) -> Mapping[str, object]:
    body = decode(search.body)
    return body if isinstance(body, dict) else {}


def _has_inner_hits(search: Search) -> bool:
    collapses = [search.value("collapse"), _root_retriever(search).get("collapse")]
    return any(isinstance(collapse, dict) and "inner_hits" in collapse for collapse in collapses)


def _root_retriever(search: Search) -> Mapping[str, object]:
    """A ``standard`` retriever that stands alone, with the members that a search has."""
    retriever = search.value("retriever")
    standard = retriever.get("standard") if isinstance(retriever, dict) else None
    return standard if isinstance(standard, dict) else {}


def _has_a_reranker(search: Search) -> bool:
    """Whether a pipeline is told how to order the hits, or what it does is to be shown hit by hit."""
    ext = search.value("ext")
    return search.has("verbose_pipeline") or (isinstance(ext, dict) and not _RERANKERS.isdisjoint(ext))


def _disables_stored_fields(search: Search) -> bool:
    value = search.parameters.get("stored_fields") or search.value("stored_fields")
    return value in ("_none_", ["_none_"])


def _page(search: Search, policy: Policy) -> tuple[int, int]:
    """The client's ``from`` and ``size``."""
    start, size = count(search, "from", 0), count(search, "size", DEFAULT_SIZE)
    if size == 0:
        raise DeclinedError(Reason.SIZE_ZERO)
    if start >= policy.window:
        raise DeclinedError(Reason.BEYOND_WINDOW)
    return start, size


def _overrides_sort(search: Search, policy: Policy) -> bool:
    """Whether the client's sort is to give way to the scores; declines where it is to stand."""
    keys = sort_keys(search)
    if not keys or is_by_score(keys[0]):
        return False
    if not policy.sort_override or not _sort_override.is_possible(search.asks, keys):
        raise DeclinedError(Reason.SORTED)
    return True


def _is_walked_by_search_after(search: Search) -> bool:
    """Also the first page of such a walk: a point in time with a sort is made for it, and has no other use."""
    is_first_page = "pit" in search.body_members and search.has("sort")
    return is_first_page or search.has("search_after") or "search_after" in _root_retriever(search)


def _is_rescored(search: Search) -> bool:
    retriever = search.value("retriever")
    return search.has("rescore") or (isinstance(retriever, dict) and "rescorer" in retriever)


_REFUSALS: tuple[tuple[Reason, Callable[[Search, Policy], bool]], ...] = (
    (Reason.SCROLL, lambda search, _: search.has("scroll")),
    (Reason.SEARCH_PIPELINE, lambda search, _: _has_a_reranker(search)),
    (Reason.SEARCH_AFTER, lambda search, _: _is_walked_by_search_after(search)),
    (Reason.SLICE, lambda search, _: search.has("slice")),
    (Reason.RESCORE, lambda search, policy: policy.rescore == "skip" and _is_rescored(search)),
    (Reason.COLLAPSE_INNER_HITS, lambda search, _: _has_inner_hits(search)),
    (Reason.STORED_FIELDS_NONE, lambda search, _: _disables_stored_fields(search)),
    (Reason.SORTED, lambda search, _: "sort" in _root_retriever(search)),
)


def _meaning(search: Search, policy: Policy) -> tuple[query_text.QueryText, object]:
    """What the search means, and the query to ask in place of its own so that the words rank; None: its own."""
    meant, promoted = _read_meaning(search, policy)
    meant = configured_words.configured(meant, decode(search.body), policy)
    if isinstance(meant, Reason):
        raise DeclinedError(meant)
    return meant, promoted


def _read_meaning(search: Search, policy: Policy) -> tuple[query_text.QueryText | Reason, object]:
    letters = policy.min_last_word_letters
    if "q" in search.parameters:
        words = _readable(search.parameters["q"])
        default_field = search.parameters.get("df")
        return query_text.read_query_string(words, default_field, min_last_word_letters=letters), None
    query = search.value("query")
    meant = query_text.read_search(_decoded(search), min_last_word_letters=letters)
    unscored = _promote.clauses(query)
    if not unscored or (isinstance(meant, Reason) and meant is not Reason.NO_QUERY_TEXT):
        return meant, None
    aggregations = [search.value(key) for key in ("aggs", "aggregations")]
    if policy.promote and _promote.is_possible(search.asks, aggregations):
        meant = query_text.read(_promote.words(unscored), min_last_word_letters=letters)
        return meant, _promote.promoted(search.raw("query") or b"", unscored)
    return Reason.FILTER_ONLY if meant is Reason.NO_QUERY_TEXT else meant, None


def _readable(parameter: str) -> str:
    """A parameter whose bytes are not all UTF-8, as the engines read it."""
    return parameter.encode(errors="surrogateescape").decode(errors="replace")


def _widened_request(
    request: Request, search: Search, body: Mapping[str, object], changed: Mapping[str, str], pins: tuple[Pin, ...]
) -> Request:
    replaced = {"from", "size", *changed}
    kept = {name: value for name, value in search.parameters.items() if name not in replaced}
    query = urlencode({**kept, **{name: value for name, value in changed.items() if value}}, errors="surrogateescape")
    rewritten = _REWRITTEN if request.body else _REWRITTEN | {"content-type"}
    headers = [(name, value) for name, value in request.headers if name.lower() not in rewritten]
    codings = _codings.readable_codings(request.header("accept-encoding") or "")
    if codings:
        headers.append(("Accept-Encoding", codings))
    if not request.body:
        headers.append(("Content-Type", _codings.json_type_like(request.header("accept"))))
    return Request(
        method=request.method if request.body else "POST",
        target=f"{request.path}?{query}" if query else request.path,
        headers=tuple(headers),
        body=with_members(pinned(search.body, pins), body),
    )
