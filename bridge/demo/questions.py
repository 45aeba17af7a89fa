"""The demo's judged questions: how-to questions about the standard library, written and judged by hand.

Each is asked as on a question-and-answer site, without the words of the docstring that answers it, and before any
reranked order was looked at. Then the ten best of the engine, of a bi-encoder over the whole corpus, and of that
bi-encoder over the engine's hundred were judged together for each question, so that neither order is favoured. Every
second question was checked by another reader, who searched the corpus by hand for documents that were missed.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import msgspec

ANSWERS = 2
"""The grade of a document that answers the question; 1 helps. What is not listed is worth nothing."""


class Question(msgspec.Struct, frozen=True):
    """A question and the documents that are worth finding."""

    id: str
    text: str
    judgments: dict[str, int]
    """Id of a document -> grade."""


def load_questions(documents: Container[str]) -> tuple[Question, ...]:
    """The questions that ``documents`` can answer, in the order of the file.

    Judgments were made on Python 3.11. What another version does not have is left out, and with it a question that has
    no answer left.
    """
    lines = Path(__file__).with_name("questions.jsonl").read_bytes().splitlines()
    questions = (msgspec.json.decode(line, type=Question) for line in lines)
    known = (Question(each.id, each.text, _known(each.judgments, documents)) for each in questions)
    return tuple(each for each in known if ANSWERS in each.judgments.values())


def _known(judgments: dict[str, int], documents: Container[str]) -> dict[str, int]:
    return {name: grade for name, grade in judgments.items() if name in documents}
