"""``rerank-bridge rerank``: lines of JSON in, the same texts out, best first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from bridge.errors import DataError
from bridge.ranker import load_model

DEFAULT_FIELD = "text"


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked."""

    query: str
    model: str
    top_k: int | None = None
    instruction: str = ""
    field: str = DEFAULT_FIELD
    device: str = "auto"
    precision: str = "auto"


class _Line(msgspec.Struct):
    """One line of the output: the place among the texts that came in, the score, and the line as it came."""

    index: int
    score: float
    document: msgspec.Raw


def rerank(lines: Iterable[bytes], source: str, job: Job) -> Iterator[bytes]:
    """The lines of the answer, best first, without line breaks: objects with ``index``, ``score`` and ``document``.

    A line that comes in is a JSON string, or an object whose text stands in ``job.field``; empty lines are left out and
    not counted. ``source`` names where they come from. Raises ``DataError`` with the line that is broken, before a
    model is loaded, and ``ModelLoadError``.
    """
    whole, texts = [], []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            texts.append(_text(line, f"{source}:{number}", job.field))
            whole.append(msgspec.Raw(line.strip()))
    model = load_model(job.model, device=job.device, precision=job.precision)
    for ranked in model.rank(job.query, texts, top_k=job.top_k, instruction=job.instruction, return_documents=False):
        yield msgspec.json.encode(_Line(ranked.index, ranked.score, whole[ranked.index]))


def _text(line: bytes, place: str, field: str) -> str:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(place, f"is no JSON: {error}") from error
    text = found.get(field) if isinstance(found, dict) else found
    if not isinstance(text, str):
        raise DataError(place, f"has no text: a string is expected, or an object with a string as {field!r}")
    return text
