"""The words that a query syntax says, run by run: a run that is said again, of another field or as a phrase, is one.

Applications write what a user typed for each field anew, ``title:"quick fox" OR body:"quick fox"``, or as a phrase and
as words, ``"quick fox"^2 OR (quick AND fox)``; a model should read it as it was typed.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """What a query says."""

    text: str
    """The words in their order, separated by single spaces."""
    fields: tuple[str, ...]
    """Fields named in front of a word or group."""
    has_bare_words: bool
    """Whether a word has no field of its own, so that the query's default fields are meant."""


class WordRuns:
    """Collects words; a run ends at a parenthesis, a phrase and where the field changes."""

    def __init__(self) -> None:
        self._runs: list[list[str]] = []
        self._fields: list[str | None] = []
        self._is_open = False

    def end(self) -> None:
        """What is said next is another run."""
        self._is_open = False

    def add(self, text: str, field: str | None = None) -> None:
        """Adds the parts between spaces that have a letter or digit."""
        words = [word for word in text.split() if any(character.isalnum() for character in word)]
        if not words:
            return
        if self._is_open and self._fields[-1] == field:
            self._runs[-1] += words
        else:
            self._runs.append(words)
            self._fields.append(field)
        self._is_open = True

    def add_phrase(self, text: str, field: str | None = None) -> None:
        """Adds words that are a run of their own."""
        self.end()
        self.add(text, field)
        self.end()

    def words(self) -> Words:
        """All that was said."""
        once: dict[str, str] = {}
        for run in self._runs:
            said = " ".join(run)
            once.setdefault(said.casefold(), said)
        named = tuple(dict.fromkeys(field for field in self._fields if field is not None))
        return Words(" ".join(once.values()), named, None in self._fields)
