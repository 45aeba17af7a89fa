"""Request bodies of ``_rank_eval``: searches with bodies of their own or templates, ratings, and a metric.

They are searched one by one, through the bridge too, since the engine's own ``_rank_eval`` searches within the cluster,
where no bridge is. Source: "Ranking evaluation", manuals of Elasticsearch 7 to 9 and OpenSearch 1 to 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bridge.errors import DataError
from bridge.evaluate.formats.base import Judged, JudgedFormat
from bridge.evaluate.formats.json_text import JsonText
from bridge.evaluate.formats.rank_eval_metrics import measure_of
from bridge.evaluate.lines import Head
from bridge.evaluate.qrels import Grades, grade_of

NAME = "_rank_eval requests"


class _Rating(msgspec.Struct):
    id: str | int = msgspec.field(name="_id")
    rating: int | float
    index: str = msgspec.field(name="_index", default="")


class _Request(msgspec.Struct):
    id: str
    ratings: list[_Rating]
    request: dict[str, object] | None = None
    template_id: str | None = None
    params: dict[str, object] = {}


class _Script(msgspec.Struct):
    source: str | dict[str, object] | None = None
    inline: str | dict[str, object] | None = None
    """As ``source``, before Elasticsearch 5.6."""
    id: str | None = None
    """Of a stored template."""


class _Template(msgspec.Struct):
    id: str
    template: _Script


class _Spec(msgspec.Struct):
    requests: list[msgspec.Raw]
    metric: dict[str, dict[str, object]] = {}
    templates: list[_Template] = []


def _recognises(head: Head) -> bool:
    start = b"\n".join(head.lines)
    has_more = any(name in start for name in (b'"ratings"', b'"metric"', b'"templates"'))
    return start.lstrip().startswith(b"{") and b'"requests"' in start and has_more


def _read(path: Path) -> Judged:
    text = JsonText(path)
    spec = text.decode(_Spec)
    templates = {template.id: template.template for template in spec.templates}
    grades, indices = Grades(), set[str]()
    bodies: dict[str, dict[str, object]] = {}
    renderings: dict[str, bytes] = {}
    for place, request in text.each(spec.requests, _Request):
        if request.id in grades.qrels:
            raise DataError(place, f"the id {request.id!r} comes twice")
        if not request.ratings:
            raise DataError(place, f"request {request.id!r} has no ratings")
        indices |= {rating.index for rating in request.ratings}
        for rating in request.ratings:
            grades.add(place, request.id, str(rating.id), grade_of(place, str(rating.rating)))
        if request.request is not None:
            bodies[request.id] = request.request
        else:
            renderings[request.id] = _rendering(place, request, templates)
    if not grades.qrels:
        raise DataError(str(path), "holds no request")
    highest = max(grade for judged in grades.qrels.values() for grade in judged.values())
    measures, notes = measure_of(spec.metric, highest)
    index = indices.pop() if len(indices) == 1 else ""
    queries = {query_id: query_id for query_id in grades.qrels}
    return Judged(NAME, queries, grades.qrels, notes, bodies, renderings, measures, index)


def _rendering(place: str, request: _Request, templates: Mapping[str, _Script]) -> bytes:
    script = templates.get(request.template_id or "")
    if script is None:
        raise DataError(place, f"request {request.id!r} has no request, and no template that is in the file")
    source = script.source if script.source is not None else script.inline
    named: dict[str, object] = {"id": script.id} if source is None else {"source": source}
    return msgspec.json.encode(named | {"params": request.params})


FORMAT = JudgedFormat(NAME, _recognises, _read)
