"""A Solr search -> a plan, or why it is left alone, or what Solr has to be asked first.

Sources: "Common Query Parameters", "Pagination of Results", "Result Grouping", "Collapse and Expand Results", "Query
Re-Ranking", "Query Elevation Component", "Response Writers" of Solr's reference guide, 8.11 to 10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import msgspec

from connectors import _codings, configured_words
from connectors._protected import exact_names
from connectors._questions import Asker
from connectors._raw_json import RawJsonError
from connectors._search_request import DeclinedError
from connectors._sizes import Fetch, fetch_of
from connectors._solr_fields import EVERYTHING, FieldList, added_to, field_list
from connectors._solr_handler import Handler, handler_of
from connectors._solr_parameters import Additions, ParameterError, Parameters
from connectors._solr_request import Sent, read
from connectors._solr_restore import FIELDS, LIMIT, MARKER, OFFSET, SHARD, SORT, Restore
from connectors._solr_schema import USUAL_KEY, Schema, schema_of
from connectors._solr_words import Meaning, read_words
from connectors.base import (
    Answers,
    PassThrough,
    Policy,
    PolicyOf,
    Question,
    Questions,
    Reason,
    Request,
    SearchPlan,
    TextField,
)

DEFAULT_ROWS = 10
_BY_SCORE = "score desc"
_REWRITTEN = frozenset({"accept-encoding", "content-length", "transfer-encoding", "x-rerank"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search is sent."""

    base: str
    """The path of its core or collection."""
    handler: str
    """The name of its request handler, with its slash."""
    indices: tuple[str, ...]
    """The cores, collections and aliases that are searched."""


def plan_select(
    request: Request, place: Place, policy_of: PolicyOf, answers: Answers
) -> SearchPlan | PassThrough | Questions:
    """The widened search, or why it is left alone, or what has to be asked first."""
    policy = policy_of(place.indices)
    try:
        sent = read(request, policy)
        indices = _indices(sent.own.get("collection", ())) or place.indices
        policy = policy if indices == place.indices else policy_of(indices)
        if not policy.is_on:
            return PassThrough(Reason.MODE_OFF)
        return _plan(request, replace(place, indices=indices), policy, answers, sent)
    except DeclinedError as declined:
        return PassThrough(declined.reason)
    except tuple(_FAILURES) as failure:
        return PassThrough(next(reason for kind, reason in _FAILURES.items() if isinstance(failure, kind)))


_FAILURES: Mapping[type[Exception], Reason] = {
    _codings.TooLargeError: Reason.BODY_TOO_LARGE,
    _codings.CodingError: Reason.CONTENT_ENCODING,
    RawJsonError: Reason.NOT_JSON,
    ParameterError: Reason.BODY_SHAPE,
}


def _plan(request: Request, place: Place, policy: Policy, answers: Answers, sent: Sent) -> SearchPlan | Questions:
    _refuse(sent.with_additions(Additions()), policy)
    asker = Asker(request, place.indices, {}, answers)
    handler = handler_of(asker, place.base, place.handler, ",".join(sent.own.get("useParams", ())[:1]))
    described = asker.answer_of(f"{place.base}/schema")
    if isinstance(described, Question) or not isinstance(handler, Handler):
        unknown = handler if not isinstance(handler, Handler) else ()
        return Questions((*unknown, described) if isinstance(described, Question) else unknown)
    parameters = sent.with_additions(handler.additions)
    _refuse(parameters, policy)
    if not handler.is_known and not (parameters.all("fl") and parameters.has("rows")):
        raise DeclinedError(Reason.HANDLER_UNKNOWN)
    return _widened(request, place, policy, _Search(sent, parameters, handler, schema_of(described)))


@dataclass(frozen=True, slots=True)
class _Search:
    """A search with all that is known of where it goes."""

    sent: Sent
    parameters: Parameters
    handler: Handler
    schema: Schema | None


def _widened(request: Request, place: Place, policy: Policy, search: _Search) -> SearchPlan:
    parameters = search.parameters
    start, rows = parameters.count("start", 0), parameters.count("rows", DEFAULT_ROWS)
    if rows == 0:
        raise DeclinedError(Reason.SIZE_ZERO)
    if start >= policy.window:
        raise DeclinedError(Reason.BEYOND_WINDOW)
    overrides_sort = _overrides_sort(parameters, policy)
    meaning = _meaning(search, policy)
    if isinstance(meaning.words, Reason):
        raise DeclinedError(meaning.words)
    asked = field_list(parameters.all("fl"))
    if asked is None:
        raise DeclinedError(Reason.FIELD_LIST)
    fetch = _fetch(search.handler, start, rows, policy)
    texts = _texts(search.schema, policy, meaning.words.fields)
    restore = _restore(search, policy, asked, texts, fetch, start)
    changes = {OFFSET: str(fetch.start), LIMIT: str(fetch.size)}
    if restore.added_list:
        changes[FIELDS] = msgspec.json.encode(restore.added_list).decode()
    if overrides_sort:
        changes[SORT] = msgspec.json.encode(_BY_SCORE).decode()
    return SearchPlan(
        request=_widened_request(request, changes),
        query_text=meaning.words.text,
        text_fields=tuple(replace(field, name=asked.renames.get(field.name, field.name)) for field in texts.fields),
        start=start - fetch.start,
        size=rows,
        policy=policy,
        indices=place.indices,
        has_boosts=meaning.has_boosts,
        is_reordered=overrides_sort,
        restore=restore,
    )


def _indices(named: Sequence[str]) -> tuple[str, ...]:
    """The collections that the parameter ``collection`` names."""
    return tuple(name.strip() for value in named[:1] for name in value.split(",") if name.strip())


def _asks_for_another_format(parameters: Parameters) -> bool:
    return (parameters.first("wt") or "json") != "json" or parameters.has("json.wrf")


_COMPONENTS = ("mlt", "tv", "clustering")
"""What switches on components whose part of the reply depends on the page, or shows its fields elsewhere."""

_REFUSALS: tuple[tuple[Reason, Callable[[Parameters, Policy], bool]], ...] = (
    (Reason.SHARD_REQUEST, lambda parameters, _: parameters.is_on("isShard")),
    (Reason.REPLY_FORMAT, lambda parameters, _: _asks_for_another_format(parameters)),
    # Another handler, and another way to read the characters of the request.
    (Reason.BODY_SHAPE, lambda parameters, _: parameters.has("qt", "ie")),
    (Reason.GROUPED, lambda parameters, _: parameters.is_on("group")),
    (Reason.COLLAPSE_INNER_HITS, lambda parameters, _: parameters.is_on("expand")),
    (Reason.SEARCH_AFTER, lambda parameters, _: parameters.has("cursorMark")),
    (Reason.RESCORE, lambda parameters, policy: policy.rescore == "skip" and parameters.has("rq")),
    (Reason.COMPONENT, lambda parameters, _: any(map(parameters.is_on, _COMPONENTS))),
)


def _refuse(parameters: Parameters, policy: Policy) -> None:
    for reason, applies in _REFUSALS:
        if applies(parameters, policy):
            raise DeclinedError(reason)


def _overrides_sort(parameters: Parameters, policy: Policy) -> bool:
    """Whether the client's sort is to give way to the scores; declines where it is to stand."""
    first = (parameters.first("sort") or _BY_SCORE).partition(",")[0].split()
    if not first or [first[0], *(word.lower() for word in first[1:])] == _BY_SCORE.split():
        return False
    if not policy.sort_override:
        raise DeclinedError(Reason.SORTED)
    return True


def _meaning(search: _Search, policy: Policy) -> Meaning:
    """What the search means, with what is configured; a pointer leads into the parameters."""
    is_field = search.schema.has if search.schema is not None else None
    read = read_words(search.parameters, is_field, policy.min_last_word_letters)
    shown: Mapping[str, object] = {
        name: values[0] if len(values) == 1 else list(values) for name, values in search.parameters.values.items()
    }
    return Meaning(configured_words.configured(read.words, shown, policy), read.has_boosts)


def _fetch(handler: Handler, start: int, rows: int, policy: Policy) -> Fetch:
    """The window and the page, or the page alone where the handler holds pages to a size of its own."""
    is_held = not handler.additions.invariants.keys().isdisjoint({"rows", "start"})
    return fetch_of(start, rows, policy.window, 0 if is_held else None)


@dataclass(frozen=True, slots=True)
class _Texts:
    fields: tuple[TextField, ...]
    in_document_order: bool = False


def _texts(schema: Schema | None, policy: Policy, named: Sequence[str]) -> _Texts:
    """What is read of a hit: the configured fields, those that the query names, or those that hold text."""
    if policy.text_fields:
        return _Texts(policy.text_fields)
    if schema is None:
        return _Texts(tuple(map(TextField, named)))
    readable = schema.readable(named)
    if readable and EVERYTHING not in readable:
        return _Texts(tuple(map(TextField, readable)))
    return _Texts(tuple(map(TextField, schema.texts())), in_document_order=True)


def _restore(  # noqa: PLR0913 - all that there is to know of what was added
    search: _Search, policy: Policy, asked: FieldList, texts: _Texts, fetch: Fetch, start: int
) -> Restore:
    key = search.schema.unique_key if search.schema is not None else USUAL_KEY
    names = [field.name for field in texts.fields] or [EVERYTHING]
    added = added_to(asked, [key, *names, *exact_names(policy.exact_fields)])
    listed = [EVERYTHING] if list(search.parameters.all("fl")) in ([], [""]) else []
    listed += added
    listed += [] if asked.scores else ["score", f"{SHARD}:[shard]"]
    listed += [f"{MARKER}:[elevated]"] if search.handler.may_elevate else []
    return Restore(
        asked=asked,
        added=added,
        added_list=",".join(listed),
        fetch_start=fetch.start,
        fetch_size=fetch.size,
        start=start,
        parameters=search.parameters,
        names=tuple(search.sent.own),
        unique_key=asked.renames.get(key, key),
        json_members=search.sent.json_members(),
        is_rescored=search.parameters.has("rq"),
        in_document_order=texts.in_document_order,
    )


def _widened_request(request: Request, changes: Mapping[str, str]) -> Request:
    headers = [(name, value) for name, value in request.headers if name.lower() not in _REWRITTEN]
    codings = _codings.readable_codings(request.header("accept-encoding") or "")
    if codings:
        headers.append(("Accept-Encoding", codings))
    separator = "&" if request.query_string else "?" if "?" not in request.target else ""
    return replace(request, target=f"{request.target}{separator}{urlencode(changes)}", headers=tuple(headers))
