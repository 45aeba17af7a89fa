"""Lists of what people typed, as logs: see ``bridge.evaluate.word_lists``.

They say no search body, so that one is made of a template (``--body``), which says which fields are searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from bridge.errors import DataError
from bridge.evaluate.template import BodyTemplate
from bridge.evaluate.word_lists import WORD_LISTS, NoWords, WordList, Words
from bridge.replay.formats.base import Format, Log, Notes, ReadOptions
from bridge.replay.logged import Broken, LoggedSearch


def _format(words: WordList) -> Format:
    def read(path: Path, options: ReadOptions) -> Log:
        if options.body is None:
            raise DataError(
                str(path), f"holds words alone ({words.name}): give a --body with {{{{query}}}} where they go"
            )
        return Log(words.name, _entries(words.read(path), options.body, options), Notes())

    return Format(words.name, words.recognises, read)


def _entries(
    words: Iterator[Words | NoWords], body: BodyTemplate, options: ReadOptions
) -> Iterator[LoggedSearch | Broken]:
    target = f"/{quote(options.index, safe=',*')}/_search" if options.index else "/_search"
    for entry in words:
        if isinstance(entry, NoWords):
            yield Broken(entry.place, entry.problem)
            continue
        yield LoggedSearch(
            entry.place,
            "POST",
            target,
            body.fill(entry.text, options.size),
            query_text=entry.text,
            query_id=entry.query_id,
            weight=entry.weight,
        )


FORMATS = tuple(_format(words) for words in WORD_LISTS)
"""More telling ones first."""
