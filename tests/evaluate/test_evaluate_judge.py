from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from bridge.errors import DataError
from bridge.evaluate.judge import JudgmentFile, Material, Session, Shown, shown
from bridge.evaluate.qrels import read_qrels

POOL = {"q1": ("b", "a", "c"), "q2": ("d", "a")}
QUERIES = {"q1": "sweet apples", "q2": "[red] pears"}
DOCUMENTS = {
    "a": Shown("Apples", "They are red."),
    "b": Shown("Bananas", "They are bent."),
    "c": Shown("", "A text without a title."),
    "d": Shown("Dates", ""),
}


class Sitting:
    """A session, its answers given beforehand."""

    def __init__(self, file: Path, *keys: str, pool: Mapping[str, tuple[str, ...]] = POOL) -> None:
        self.out = io.StringIO()
        self.fetched: list[tuple[str, tuple[str, ...]]] = []
        self.prompts: list[str] = []
        self.written: list[str] = []
        self._file = file
        self._keys = iter(keys)
        with JudgmentFile(file) as judgments:
            material = Material(pool, QUERIES, self._documents)
            Session(material, judgments, Console(file=self.out, width=100), self._ask).run()

    def _documents(self, query_id: str, ids: Sequence[str]) -> Mapping[str, Shown]:
        self.fetched.append((query_id, tuple(ids)))
        return {document_id: DOCUMENTS[document_id] for document_id in ids if document_id in DOCUMENTS}

    def _ask(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        self.written.append(self._file.read_text())
        return next(self._keys, None)

    @property
    def lines(self) -> list[str]:
        """What is printed, but for the keys that are explained at the beginning."""
        return [line for line in self.out.getvalue().partition("q quit\n")[2].splitlines() if line]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "judged" / "qrels.txt"


def test_each_document_is_shown_and_graded(file: Path) -> None:
    """Words, title and text of each, in the pool's order; grades are in the file in TREC's format."""
    sitting = Sitting(file, "0", "3", "1", "2", "0")
    assert file.read_text() == "q1 0 b 0\nq1 0 a 3\nq1 0 c 1\nq2 0 d 2\nq2 0 a 0\n"
    assert sitting.lines[:5] == ["query: sweet apples", "Bananas", "They are bent.", "query: sweet apples", "Apples"]
    assert "query: [red] pears" in sitting.lines
    assert sitting.lines[-1] == "5 judged in this session; 0 of 5 are left"


def test_systems_are_not_named(file: Path) -> None:
    """Neither a rank nor a name is shown that tells whose the document is; the place is that of the shuffled pool."""
    sitting = Sitting(file, "0")
    assert sitting.prompts == ["grade (1 of 3 of this query, 5 left)> ", "grade (2 of 3 of this query, 4 left)> "]


def test_session_is_gone_on_with(file: Path) -> None:
    """What is judged is not asked again; what was left is, and the end says how much that is."""
    first = Sitting(file, "0", "1", "q")
    assert first.lines[-1] == "2 judged in this session; 3 of 5 are left"
    second = Sitting(file, "2")
    assert second.fetched == [("q1", ("c",)), ("q2", ("d", "a"))]
    assert read_qrels(file) == {"q1": {"b": 0, "a": 1, "c": 2}}
    assert second.lines[-1] == "1 judged in this session; 2 of 5 are left"
    assert Sitting(file, "0", "0").lines[-1] == "2 judged in this session; 0 of 5 are left"
    assert Sitting(file).prompts == []


def test_unsure_is_not_judged(file: Path) -> None:
    """Nothing is written of it, and it is asked again another time."""
    assert Sitting(file, "u", "1", "1", "1", "1").lines[-1] == "4 judged in this session; 1 of 5 are left"
    assert Sitting(file, "1").lines[-1] == "1 judged in this session; 0 of 5 are left"


def test_back_asks_again_and_takes_the_answer_back(file: Path) -> None:
    """The last answer is out of the file, whether grade, unsure or a skipped query, and the one before it, too."""
    sitting = Sitting(file, "b", "0", "u", "b", "b", "3", "1", "b", "2", "s", "b", "q")
    assert read_qrels(file) == {"q1": {"b": 3, "a": 2}}
    assert file.read_text() == "q1 0 b 3\nq1 0 a 2\n"
    assert "this is the first one of this session" in sitting.lines
    assert sitting.lines[-1] == "2 judged in this session; 3 of 5 are left"


def test_answer_that_was_taken_back_is_left(file: Path) -> None:
    """The end does not count it."""
    assert Sitting(file, "1", "b").lines[-1] == "0 judged in this session; 5 of 5 are left"


def test_each_answer_is_written_before_the_next_question(file: Path) -> None:
    """Whatever ends the session, no answer is lost."""
    assert Sitting(file, "0", "3").written == ["", "q1 0 b 0\n", "q1 0 b 0\nq1 0 a 3\n"]


def test_query_can_be_skipped(file: Path) -> None:
    """The rest of its documents is left, and the next query comes."""
    Sitting(file, "1", "s", "2", "2")
    assert read_qrels(file) == {"q1": {"b": 1}, "q2": {"d": 2, "a": 2}}


def test_other_keys_are_explained_and_more_is_shown(file: Path) -> None:
    """A mistyped key judges nothing; the whole document is shown where it is wanted."""
    sitting = Sitting(file, "5", "", "m", " 1 \n", "Q")
    assert sitting.lines.count("give one of 0, 1, 2, 3, u, m, b, s, q") == 2
    assert sitting.lines.count("They are bent.") == 2
    assert file.read_text() == "q1 0 b 1\n"


def test_end_of_input_ends_the_session(file: Path) -> None:
    """As quitting does."""
    assert Sitting(file, "1").lines[-1] == "1 judged in this session; 4 of 5 are left"


def test_document_that_is_gone_is_named(file: Path) -> None:
    """It can still be graded, by its id."""
    sitting = Sitting(file, "0", pool={"q9": ("gone",)})
    assert sitting.lines[:2] == ["query: q9", "gone (not found)"]
    assert file.read_text() == "q9 0 gone 0\n"


def test_id_that_does_not_fit_is_told(file: Path) -> None:
    """TREC's columns are separated by white space."""
    with pytest.raises(DataError, match="the id 'two words' has white space"):
        Sitting(file, "0", pool={"q1": ("two words",)})


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("q1 0 b 1\nq1 0 a", "q1 0 b 1\n"),
        ("q1 0 b 1\nq1 0 a 2", "q1 0 b 1\nq1 0 a 2\n"),
        ("q1\tb\t1", "q1\tb\t1\n"),
        ("query-id\tcorpus-id\tscore\nq1\tb\t1\n", "query-id\tcorpus-id\tscore\nq1\tb\t1\n"),
    ],
)
def test_file_that_was_cut_is_gone_on_with(file: Path, content: str, kept: str) -> None:
    """Half a line is dropped, a whole one without its end is kept, and BEIR's columns are known as well."""
    file.parent.mkdir()
    file.write_text(content)
    Sitting(file, "s", "3")
    assert file.read_text() == f"{kept}q2 0 d 3\n"


@pytest.mark.parametrize("content", ["a text of mine", "a text of mine\nq1 0 b 1\n", "q1 0 b 1\nq1 0 b 2\n"])
def test_file_of_something_else_is_left_alone(file: Path, content: str) -> None:
    """Nothing of it is changed, and the error says which line is none of judgments."""
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(DataError, match=r"qrels\.txt:[12]"):
        Sitting(file, "3")
    assert file.read_text() == content


def test_document_is_shown_by_its_title_and_all_its_texts() -> None:
    """The field that people know it by comes first, whatever it is called; lists and nested fields are read."""
    found = shown({"price": 3, "name": "Loaf", "tags": ["bread", "white"], "maker": {"town": "Ulm"}})
    assert (found.title, found.text) == ("Loaf", "bread, white\nUlm")
    assert shown({"body": "no title"}) == Shown("", "no title")


def test_passage_is_the_one_with_the_query_s_words() -> None:
    """A long text is shown where it is about the query, a short one whole."""
    filler = "Nothing is said in this sentence of a text. " * 30
    passage = Shown("", f"{filler}Here are sweet Apples. {filler}").passage("sweet apples")
    assert "Here are sweet Apples." in passage
    assert len(passage) <= 600
    assert Shown("", "short").passage("other") == "short"
    assert Shown("", "").passage("other") == ""
