"""The corpus made from the installed Python."""

from __future__ import annotations

import sys

import pytest

from bridge.demo.corpus import Document, build_corpus
from bridge.demo.harvest import MAX_TEXT_CHARS
from bridge.errors import DataError


@pytest.fixture(scope="module")
def corpus() -> dict[str, Document]:
    return {document.id: document for document in build_corpus()}


def test_thousands_of_documents_each_with_a_text_and_a_public_name(corpus: dict[str, Document]) -> None:
    """There are thousands, all texts are within the limit, and no part of a name is private."""
    assert len(corpus) > 6_000
    assert all(0 < len(document.text) <= MAX_TEXT_CHARS for document in corpus.values())
    assert all(document.title.startswith(document.id) for document in corpus.values())
    assert not [name for name in corpus if any(part.startswith("_") for part in name.split("."))]


@pytest.mark.parametrize(
    "known",
    [
        *(
            "os.path.basename",
            "asyncio.gather",
            "collections.OrderedDict.move_to_end",
            "str.removeprefix",
            "len",
            "open",
        ),
        *("itertools.chain", "math.gcd", "random.choice", "socket.socket.connect", "decimal.Decimal.quantize"),
        *("concurrent.futures.ThreadPoolExecutor", "pathlib.PurePath.name", "json", "str", "re.Pattern.sub"),
        *("builtins", "urllib.parse.urlsplit"),
    ],
)
def test_names_are_those_that_users_know(corpus: dict[str, Document], known: str) -> None:
    """Public names stand for what is implemented elsewhere, in Python or in C."""
    assert known in corpus


@pytest.mark.parametrize(
    "unknown",
    [
        *("posixpath.basename", "asyncio.tasks.gather", "builtins.len", "io.open", "socket.SocketType", "posix.getcwd"),
        *("random.Random.choice", "pathlib.Path.name", "unittest.case.TestCase", "idlelib", "test.support", "this"),
    ],
)
def test_other_names_of_the_same_thing_are_left_out(corpus: dict[str, Document], unknown: str) -> None:
    """Where a thing is implemented or inherited, it does not stand a second time; programs and tests are left out."""
    assert unknown not in corpus


def test_titles_carry_signatures_without_what_differs_by_machine(corpus: dict[str, Document]) -> None:
    """Parameters and plain defaults are shown; addresses and paths of this machine are not."""
    assert corpus["os.path.basename"].title == "os.path.basename(p)"
    assert corpus["textwrap.wrap"].title == "textwrap.wrap(text, width=70, **kwargs)"
    assert corpus["platform.architecture"].title.startswith("platform.architecture(executable=...")
    assert not [document.title for document in corpus.values() if " at 0x" in document.title]


def test_class_is_described_by_its_initializer_too(corpus: dict[str, Document]) -> None:
    """A class whose docstring is at its initializer is found by it."""
    assert "max_workers: The maximum number of threads" in corpus["concurrent.futures.ThreadPoolExecutor"].text


def test_corpus_is_the_same_in_every_run(corpus: dict[str, Document]) -> None:
    """A second run gives the same documents in the same order."""
    assert build_corpus() == tuple(corpus.values())


def test_python_that_cannot_be_asked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the interpreter fails, the error names it."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DataError, match="/bin/false: its documentation can't be read"):
        build_corpus()
