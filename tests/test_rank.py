from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import Ranked, Reranker, load_model
from bridge.errors import DataError, ModelLoadError, RequestError, ScoringError
from bridge.models.base import Footprint, ModelKind, Tokens
from bridge.rerank_command import Job, rerank

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "Paris is the capital of France.",
    "open() returns an iterator over the lines of a file.",
    "Statins lower cholesterol.",
)
QUERY = "how do I read a file?"


class Lengths:
    """A model whose score is the length of a text, less one for each letter of the instruction."""

    name, revision, device, precision = "lengths", "1", "cpu", "float32"
    kind: ModelKind = "cross-encoder"
    max_tokens = batch_tokens = 1_000
    footprint = Footprint(0, 0)

    def __init__(self) -> None:
        self.scored: list[int] = []

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        return [Tokens((), (len(text) - len(instruction), len(query_text))) for text in texts]

    def score(self, read: Sequence[Tokens]) -> list[float]:
        self.scored.append(len(read))
        return [float(tokens.own[0]) if tokens.own[0] != 13 else math.nan for tokens in read]


@pytest.fixture(scope="module")
def embedded() -> Reranker:
    return load_model("embedded", device="cpu")


def test_importing_the_package_imports_no_tensors() -> None:
    """Who imports the package does not wait for torch until a model is loaded."""
    code = "import sys, bridge; print({'torch', 'transformers', 'tokenizers', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_a_user_s_line_of_code_ranks_documents(embedded: Reranker) -> None:
    """The document that answers comes first, with its place, its text and its score."""
    best = embedded.rank(QUERY, DOCUMENTS, top_k=2)
    assert [(result.index, result.document) for result in best][:1] == [(1, DOCUMENTS[1])]
    assert len(best) == 2
    assert best[0].score > best[1].score
    assert best[0].score == pytest.approx(embedded.score(QUERY, DOCUMENTS)[1])


@given(documents=st.lists(st.text(alphabet="ab", max_size=5), max_size=12), top_k=st.none() | st.integers(1, 15))
def test_a_ranking_holds_each_document_once_in_falling_order(documents: list[str], top_k: int | None) -> None:
    """All documents, or the best of them, fall by score; equal ones keep their order and are scored once."""
    model = Lengths()
    ranked = Reranker(model).rank("q", documents, top_k=top_k)
    places = sorted(range(len(documents)), key=lambda index: (-len(documents[index]), index))[:top_k]
    assert ranked == [Ranked(index, float(len(documents[index])), documents[index]) for index in places]
    assert model.scored == [len(set(documents))]


def test_documents_can_be_left_out_of_the_results() -> None:
    """Who holds the documents anyway gets places and scores alone."""
    assert Reranker(Lengths()).rank("q", ["a", "bb"], return_documents=False) == [
        Ranked(1, 2, None),
        Ranked(0, 1, None),
    ]


def test_an_instruction_reaches_the_model() -> None:
    """What relevance means goes to the model with query and documents."""
    assert Reranker(Lengths()).score("q", ["aaaa"], instruction="bb") == [2.0]


def test_scores_are_normalised_as_the_package_does_it() -> None:
    """A normalised score is the sigmoid of the score less half of the estimated maximum, also far from zero."""
    reranker = Reranker(Lengths(), estimated_max=9.0)
    assert reranker.score("q", ["aaaa", "aaaaa"], normalize=True) == pytest.approx([0.37754067, 0.62245933])
    assert reranker.score("q", ["", "a" * 2_000], normalize=True, instruction="b" * 1_000) == [0.0, 1.0]


NOT_TEXTS: list[tuple[Any, Any, dict[str, Any], str]] = [
    (None, ["a"], {}, "query is of type NoneType"),
    ("q", ["a", {"text": "b"}], {}, r"documents\[1\] is of type dict"),
    ("q", ["a", "b", b"c"], {}, r"documents\[2\] is of type bytes"),
    ("q", "a", {}, "documents is of type str: a list of strings is expected"),
    ("q", None, {}, "documents is of type NoneType"),
    ("q", ["a"], {"instruction": 3}, "instruction is of type int"),
    ("q", ["a"], {"top_k": 0}, "top_k is 0"),
    ("q", ["a"], {"normalize": True}, "neither the package nor the card of lengths"),
]


@pytest.mark.parametrize(("query", "documents", "options", "said"), NOT_TEXTS)
def test_what_is_no_text_is_named(query: Any, documents: Any, options: dict[str, Any], said: str) -> None:
    """The error says what is wrong and where it stands, before anything is scored."""
    model = Lengths()
    with pytest.raises(RequestError, match=said):
        Reranker(model).rank(query, documents, **options)
    assert model.scored == []


def test_scores_that_are_no_numbers_are_an_error() -> None:
    """A model that breaks down fails its call and does not order by nonsense."""
    with pytest.raises(ScoringError, match="no numbers"):
        Reranker(Lengths()).rank("q", ["a" * 13, "b"])


def test_an_unknown_model_is_an_error_of_loading() -> None:
    """What can't be loaded is said at once."""
    with pytest.raises(ModelLoadError, match="unknown model 'nothing'"):
        load_model("nothing")


def answer(lines: Sequence[bytes], job: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rerank(lines, "stdin", job)]


LINES = (
    b'"Paris is the capital of France."\n',
    b"\n",
    b'{"id": 7, "text": "open() returns the lines of a file.", "n": 1.50}\n',
)


def test_lines_come_back_best_first_as_they_came() -> None:
    """Strings and objects are ordered together; each comes back byte for byte behind its place and score."""
    first, second = rerank(LINES, "stdin", Job(QUERY, "embedded"))
    assert first.endswith(b'"document":{"id": 7, "text": "open() returns the lines of a file.", "n": 1.50}}')
    assert second.endswith(b'"document":"Paris is the capital of France."}')
    assert [json.loads(line)["index"] for line in (first, second)] == [1, 0]
    assert json.loads(first)["score"] > json.loads(second)["score"]


def test_the_text_stands_in_the_field_that_is_named() -> None:
    """Another field can hold the text, and no more lines than wanted come back."""
    lines = [b'{"title": "a file", "text": "x"}', b'{"title": "the lines of a file that I read", "text": "y"}']
    (best,) = answer(lines, Job(QUERY, "embedded", top_k=1, field="title"))
    assert best["document"]["text"] == "y"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "stdin:2: is no JSON"),
        (b'"\xff"', "stdin:2: is no JSON"),
        (b"3", "stdin:2: has no text"),
        (b'{"title": "x"}', "stdin:2: has no text: a string is expected, or an object with a string as 'text'"),
        (b'{"text": ["x"]}', "stdin:2: has no text"),
    ],
)
def test_a_broken_line_is_named(line: bytes, said: str) -> None:
    """The first line that can't be read is told by its number, before a model is loaded."""
    with pytest.raises(DataError) as caught:
        answer([b'"fine"', line], Job(QUERY, "no such model"))
    assert str(caught.value).startswith(said)


def run(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "rerank", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_command_reads_and_writes_lines() -> None:
    """What a shell pipes in comes out ordered, one object a line."""
    done = run(
        "--query", QUERY, "--top-k", "1", "--device", "cpu", text="".join(json.dumps(text) + "\n" for text in DOCUMENTS)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["document"] for line in done.stdout.splitlines()] == [DOCUMENTS[1]]


def test_the_command_ends_with_1_where_the_model_can_not_be_had() -> None:
    """What can't be loaded is one message and exit code 1."""
    done = run("--query", QUERY, "--precision", "int3", text='"a"')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rerank-bridge: unknown precision 'int3'")


def test_the_command_ends_with_2_where_a_line_is_broken() -> None:
    """A broken line is one message with its number and exit code 2."""
    done = run("--query", QUERY, text='"a"\n[\n')
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rerank-bridge: stdin:2: is no JSON")
    assert len(done.stderr.splitlines()) == 1
