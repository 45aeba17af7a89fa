"""The demo's questions and their judgments."""

from __future__ import annotations

import re
import sys

import pytest

from bridge.demo.corpus import Document, build_corpus
from bridge.demo.questions import Question, load_questions

COPIED_WORDS = 4


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


@pytest.fixture(scope="module")
def corpus() -> dict[str, Document]:
    return {document.id: document for document in build_corpus()}


@pytest.fixture(scope="module")
def questions(corpus: dict[str, Document]) -> tuple[Question, ...]:
    return load_questions(corpus)


def runs_of_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + COPIED_WORDS]) for start in range(len(words) - COPIED_WORDS + 1)}


def test_at_least_sixty_questions_can_be_answered(questions: tuple[Question, ...]) -> None:
    """On every supported Python there are enough questions for a comparison, and ids and texts are unique."""
    assert len(questions) >= 60
    assert len({question.id for question in questions}) == len({question.text for question in questions})


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the judgments were made on Python 3.11")
def test_every_judged_document_exists(corpus: dict[str, Document]) -> None:
    """On the version that was judged, no judgment is of a document that the corpus lacks."""
    judged = {name for question in load_questions(_Everything()) for name in question.judgments}
    assert judged <= set(corpus)


def test_every_question_has_an_answer_and_known_grades(questions: tuple[Question, ...]) -> None:
    """Grades are 1 and 2, and each question has a document that answers it."""
    grades = [set(question.judgments.values()) for question in questions]
    assert all(2 in each and each <= {1, 2} for each in grades)


def test_no_question_copies_the_words_of_its_answers(
    questions: tuple[Question, ...], corpus: dict[str, Document]
) -> None:
    """A question shares no four words in a row with a document that it should find."""
    copied = {
        (question.id, name, run)
        for question in questions
        for name in question.judgments
        for run in runs_of_words(question.text) & runs_of_words(corpus[name].text)
    }
    assert not copied


def test_what_this_python_lacks_is_left_out() -> None:
    """A judgment of an unknown document is dropped, and a question without an answer is dropped whole."""
    (only,) = load_questions({"os.path.basename", "os.path.split"})
    assert only.judgments == {"os.path.basename": 2, "os.path.split": 1}
    assert load_questions({"os.path.split"}) == ()
