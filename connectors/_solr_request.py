"""A Solr search as it was sent: its parameters, wherever they stand, and what its handler makes of them.

Sources: "JSON Request API" and "JSON Query DSL" of Solr's reference guide, 8.11 to 10; ``SolrRequestParsers`` and
``RequestUtil`` of Solr 9: parameters of the URL come before those of a form, a JSON text's own members win over both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors import _codings
from connectors._raw_json import RawJsonError, decode
from connectors._search_request import DeclinedError
from connectors._solr_local_params import of_json
from connectors._solr_parameters import (
    Additions,
    Parameters,
    Values,
    decoded,
    effective,
    gathered,
    strings_of,
    with_macros,
)
from connectors.base import Policy, Reason, Request

_FORM = re.compile(r"\s*application/x-www-form-urlencoded\s*(?:;.*)?", re.IGNORECASE)
_OTHER_CHARSET = re.compile(r"charset\s*=(?!\s*\"?utf-?8\b)", re.IGNORECASE)
_BEGINS_JSON = re.compile(rb"\s*(?:[{\[#]|/[/*])")
_JSON = "json"
_OF_JSON = {"fields": "fl", "filter": "fq", "offset": "start", "limit": "rows", "sort": "sort"}
_ADDED_UP = frozenset({"fields", "filter"})
_READ_ELSEWHERE = frozenset({"json.nl", "json.wrf"})


@dataclass(frozen=True, slots=True)
class Sent:
    """What a client sent."""

    own: Values
    """Of the URL and the form, in their order."""
    json_texts: tuple[str, ...] = ()
    """The body's, then those of the URL."""

    def json_members(self) -> Mapping[str, object] | None:
        """All members of the JSON texts, the later ones in the place of the earlier; None where there is no JSON."""
        texts = [_read(text) for text in self.json_texts]
        if any(name.startswith("json.facet") for name in self.own):
            texts = [{"facet": {}}, *texts]
        return {name: value for members in texts for name, value in members.items()} if texts else None

    def with_additions(self, additions: Additions) -> Parameters:
        """What the handler works with. Raises ``ParameterError``, ``RawJsonError``, ``DeclinedError``."""
        params = (_object(one.get("params")) for one in map(_read, self.json_texts))
        values = dict(effective(self.own, list(params), additions))
        for text in self.json_texts:
            values |= _of_json(_read(with_macros(text, values) if "${" in text else text), values)
        return Parameters(values)


def read(request: Request, policy: Policy) -> Sent:
    """The parameters of a request. Raises ``DeclinedError``, ``ParameterError``, ``CodingError``."""
    pairs = decoded(request.query_string)
    body = _codings.decoded(request.body, request.header("content-encoding"), policy.max_body_bytes)
    texts: list[str] = []
    if body and _is_json(request, body):
        texts.append(_text(body))
    elif body:
        pairs += decoded(_text(body))
    texts += [value for name, value in pairs if name == _JSON]
    own = gathered(pairs)
    if any(_is_a_path(name) for name in own):
        raise DeclinedError(Reason.BODY_SHAPE)
    return Sent(own, tuple(texts))


def _is_json(request: Request, body: bytes) -> bool:
    media_type = request.header("content-type") or ""
    if _OTHER_CHARSET.search(media_type):
        raise DeclinedError(Reason.CONTENT_TYPE)
    if _FORM.fullmatch(media_type):  # Solr looks into what curl calls a form
        return (request.header("user-agent") or "").startswith("curl/") and _BEGINS_JSON.match(body) is not None
    if "/json" not in media_type:
        raise DeclinedError(Reason.CONTENT_TYPE)
    return True


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise DeclinedError(Reason.BODY_SHAPE) from error


def _is_a_path(name: str) -> bool:
    """Whether a parameter stands for a part of the JSON text that is read here: ``json.limit`` and its kin."""
    return name.startswith("json.") and name not in _READ_ELSEWHERE and not name.startswith("json.facet")


def _read(text: str) -> Mapping[str, object]:
    value = decode(text.encode())
    if not isinstance(value, dict):
        raise RawJsonError("not an object")
    return value


def _of_json(members: Mapping[str, object], values: Values) -> Values:
    """The parameters that a JSON text's members stand for."""
    named: dict[str, tuple[str, ...]] = {}
    found = dict(_plain(members, values))
    if "query" in members:
        found["q"] = (_query(members["query"], named),)
        if not isinstance(members["query"], str):
            found["defType"] = ("lucene",)
    for name, query in _object(members.get("queries")).items():
        found[name] = (_query(query, named),)
    return {**found, **named}


def _plain(members: Mapping[str, object], values: Values) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, target in _OF_JSON.items():
        if name in members:
            if members[name] in ((None,) if name in _ADDED_UP else (None, [])):  # Solr 9 has an error of its own
                raise DeclinedError(Reason.BODY_SHAPE)
            before = values.get(target, ()) if name in _ADDED_UP else ()
            yield target, (*before, *strings_of(members[name]))


def _query(query: object, named: dict[str, tuple[str, ...]]) -> str:
    text = of_json(query, named)
    if text is None:
        raise DeclinedError(Reason.BODY_SHAPE)
    return text


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
