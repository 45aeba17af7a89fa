"""Judgments made in the terminal: one document after the other, without saying which system found it.

Each answer is in the file before the next question is asked, so that a session can end at any moment and be gone on
with later; what is judged is not asked again. Grades are those of TREC's deep learning track (Craswell et al. 2020).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from bridge.errors import DataError
from bridge.evaluate.pool import Pool
from bridge.evaluate.qrels import Grades, columns_of, grade_of
from bridge.passages import split
from connectors.base import TextField
from connectors.fields import leaves, text_of

GRADES = {"0": "not relevant", "1": "related", "2": "relevant", "3": "just what was searched for"}
KEYS = {"u": "unsure", "m": "more of the document", "b": "back", "s": "skip the query", "q": "quit"}
TITLES = ("title", "name", "headline", "subject", "label", "heading", "question")
_PASSAGE_CHARS = 600
_PASSAGES = 40
_MAX_CHARS = 20_000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A document as it is judged."""

    title: str
    text: str

    def passage(self, query_text: str) -> str:
        """The part that has most of the query's words, the first of equal ones."""
        words = set(_WORD.findall(query_text.casefold()))
        parts = [self.text[start:end] for start, end in split(self.text, _PASSAGE_CHARS, _PASSAGES)]
        return max(parts, key=lambda part: len(words.intersection(_WORD.findall(part.casefold()))), default="")


def shown(source: Mapping[str, object]) -> Shown:
    """A document's ``_source`` as it is judged."""
    document = leaves([source])
    title = next((text for name in TITLES if (text := text_of(document, (TextField(name),), _PASSAGE_CHARS))), "")
    others = {path: values for path, values in document.items() if path not in TITLES or not title}
    return Shown(title, text_of(others, (), _MAX_CHARS))


class JudgmentFile:
    """Judgments in TREC's format, which grow line by line; use it as a context manager.

    Raises ``DataError`` where the file holds something else, or an id that does not fit into a column.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.grades: dict[tuple[str, str], int] = {}
        """Query and document -> grade, of all that is in the file."""

    def __enter__(self) -> Self:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._out = self._file.open("ab+")
            self._out.seek(0)
            content = self._out.read()
        except OSError as error:
            raise DataError(str(self._file), f"can't be written: {error}") from error
        try:
            self._keep(content)
        except DataError:
            self._out.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()

    def _keep(self, content: bytes) -> None:
        """Reads what is there, and ends or drops a last line that was left unfinished."""
        *lines, last = content.split(b"\n")
        found = Grades()
        for number, line in enumerate(lines, start=1):
            if line.strip() and not (number == 1 and line.startswith(b"query")):
                _read(found, f"{self._file}:{number}", line)
        if last:
            try:
                _read(found, f"{self._file}:{len(lines) + 1}", last)
                self._out.write(b"\n")
            except DataError:
                if not found.qrels:
                    raise  # no file of ours
                self._out.truncate(len(content) - len(last))
            self._out.flush()
        self.grades = {
            (query, document): grade for query, grades in found.qrels.items() for document, grade in grades.items()
        }

    def add(self, query_id: str, document_id: str, grade: int) -> int:
        """Writes a judgment, and says where it stands in the file."""
        for name in (query_id, document_id):
            if len(name.split()) != 1:
                raise DataError(str(self._file), f"the id {name!r} has white space, which separates columns here")
        place = self._out.seek(0, 2)
        self._out.write(f"{query_id} 0 {document_id} {grade}\n".encode())
        self._out.flush()
        self.grades[query_id, document_id] = grade
        return place

    def take_back(self, query_id: str, document_id: str, place: int) -> None:
        """Undoes the last ``add``."""
        self._out.truncate(place)
        self._out.flush()
        del self.grades[query_id, document_id]


@dataclass(frozen=True, slots=True)
class Material:
    """What is judged, and how it is shown."""

    pool: Pool
    queries: Mapping[str, str]
    """Query id -> text, as far as it is known."""
    documents: Callable[[str, Sequence[str]], Mapping[str, Shown]]
    """The documents of a query by their ids; one that is gone is left out."""


Ask = Callable[[str], str | None]
"""Shows a prompt and reads a line; None where there is no more input."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """A question that was answered in this session, and where its judgment stands in the file, if there is one."""

    number: int
    place: int | None


class Session:
    """One sitting of a judge."""

    def __init__(self, material: Material, judgments: JudgmentFile, console: Console, ask: Ask) -> None:
        self._material = material
        self._judgments = judgments
        self._console = console
        self._ask = ask
        pairs = [(query_id, document_id) for query_id, ids in material.pool.items() for document_id in ids]
        self._questions = [pair for pair in pairs if pair not in judgments.grades]
        self._fetched: tuple[str, Mapping[str, Shown]] = ("", {})
        self._answered: list[_Answered] = []

    def run(self) -> None:
        """Asks until all is judged, or the judge quits; says how many are left."""
        self._console.print(", ".join(f"{key} {what}" for key, what in {**GRADES, **KEYS}.items()), style="dim")
        number: int | None = 0
        while number is not None and number < len(self._questions):
            number = self._after(number, self._answer(number))
        self._tell_left()

    def _answer(self, number: int) -> str:
        """The key that the judge pressed; ``q`` at the end of the input."""
        query_id, document_id = self._questions[number]
        document = self._document(number)
        words = self._material.queries.get(query_id, query_id)
        of_query = [document for query, document in self._questions if query == query_id]
        self._console.print()
        self._print(f"query: {words}", "bold")
        self._print(document.title or document_id, "underline")
        passage = document.passage(words)
        if passage:
            self._print(passage)
        place = f"{of_query.index(document_id) + 1} of {len(of_query)} of this query, {self._left()} left"
        while True:
            line = self._ask(f"grade ({place})> ")
            key = "q" if line is None else line.strip().lower()
            if key in GRADES or key in KEYS.keys() - {"m"}:
                return key
            self._print((document.text or "there is no more") if key == "m" else f"give one of {_known()}")

    def _after(self, number: int, key: str) -> int | None:
        """The number of the next question; None to end."""
        if key == "q":
            return None
        if key == "b":
            return self._before(number)
        query_id, document_id = self._questions[number]
        place = self._judgments.add(query_id, document_id, int(key)) if key in GRADES else None
        self._answered.append(_Answered(number, place))
        if key != "s":
            return number + 1
        later = (place for place in range(number, len(self._questions)) if self._questions[place][0] != query_id)
        return next(later, len(self._questions))

    def _before(self, number: int) -> int:
        if not self._answered:
            self._print("this is the first one of this session")
            return number
        last = self._answered.pop()
        if last.place is not None:
            self._judgments.take_back(*self._questions[last.number], last.place)
        return last.number

    def _document(self, number: int) -> Shown:
        query_id, document_id = self._questions[number]
        if self._fetched[0] != query_id or not self._fetched[1]:
            ids = [document for query, document in self._questions if query == query_id]
            self._fetched = query_id, self._material.documents(query_id, ids)
        return self._fetched[1].get(document_id, Shown(f"{document_id} (not found)", ""))

    def _left(self) -> int:
        return sum(pair not in self._judgments.grades for pair in self._questions)

    def _tell_left(self) -> None:
        judged = sum(answer.place is not None for answer in self._answered)
        total = sum(map(len, self._material.pool.values()))
        self._console.print()
        self._print(f"{judged} judged in this session; {self._left()} of {total} are left")

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False)


def _read(found: Grades, place: str, line: bytes) -> None:
    query_id, document_id, grade = columns_of(place, line)
    found.add(place, query_id, document_id, grade_of(place, grade))


def _known() -> str:
    return ", ".join((*GRADES, *KEYS))
