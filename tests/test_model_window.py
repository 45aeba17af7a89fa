"""What a model reads at once, in characters, by its own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bridge.model_window import ModelWindow
from bridge.models import catalog
from bridge.models.base import Model, ModelKind, Tokens
from bridge.passages import split
from bridge.score_cache import ENTRY_BYTES, ScoreCache
from bridge.scorer import Limits, Scorer
from bridge.telemetry import Telemetry
from tests.doubles.small_models import LengthModel


@dataclass
class WordModel(LengthModel):
    """A token for each word, and two around; what it reads at once is cut."""

    max_tokens: int = 42
    seen: list[str] = field(default_factory=list)

    def read(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[Tokens]:
        self.seen += filter(None, texts)
        shared = (0,) * len(f"{instruction} {query_text}".split())
        room = self.max_tokens - len(shared) - 2
        return [Tokens(shared, (0, *[1] * min(len(text.split()), room), 0)) for text in texts]


FOUR = "abc " * 500
TWO = "a " * 500


@pytest.mark.parametrize(
    ("query_text", "instruction", "kind", "expected"),
    [
        ("q", "", "cross-encoder", [140, 70]),
        ("q", "i i", "cross-encoder", [133, 66]),
        ("q " * 100, "", "cross-encoder", [36, 18]),
        ("q " * 20, "", "bi-encoder", [144, 72]),
    ],
)
def test_what_is_read_of_each_text(query_text: str, instruction: str, kind: ModelKind, expected: list[int]) -> None:
    """As many characters as its tokens have, less those of query and instruction, and a tenth to be sure."""
    window = ModelWindow(WordModel(kind=kind))
    assert window.chars(query_text, [FOUR, TWO], instruction) == expected


def test_short_texts_are_not_read() -> None:
    """They fit whatever their tokens are, and cost nothing."""
    model = WordModel()
    assert ModelWindow(model).chars("q", ["short", ""]) == [39, 39]
    assert model.seen == []


def test_a_text_is_measured_once() -> None:
    """The next page of a search costs no reading of its long texts."""
    model = WordModel()
    window = ModelWindow(model)
    window.chars("q", [FOUR, FOUR])
    assert len(model.seen) == 1
    assert window.chars("another query", [FOUR]) == [136]
    assert len(model.seen) == 1


async def test_a_scorer_says_what_its_model_reads() -> None:
    """By the same measure, in the thread that reads."""
    async with Scorer([WordModel()], Limits(10), ScoreCache(ENTRY_BYTES), Telemetry()) as scorer:
        assert await scorer.readable_chars("q", [FOUR, "short"]) == [140, 39]


ENGLISH = (
    "The committee met on Tuesday to discuss the proposal. Several members raised objections, which were noted. "
    "After a break of fifteen minutes, the chair called for a vote; the motion passed by a narrow margin. "
)
GERMAN = "Die Donaudampfschifffahrtsgesellschaft hat ihren Fahrplan geändert. Fahrgäste werden um Verständnis gebeten. "
RUSSIAN = "Комитет собрался во вторник, чтобы обсудить предложение. Несколько членов выразили возражения. "
CHINESE = "委员会星期二开会讨论这项提案。几位成员提出了反对意见。休息十五分钟后,主席要求表决。"
CODE = "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }\nif (sum > limit) return -1; // overflow\n"


@pytest.fixture(scope="module")
def embedded() -> Model:
    return catalog.load("embedded", device="cpu", precision="float32", cache_bytes=1 << 20, long_context=False)


@pytest.mark.parametrize("text", [ENGLISH, GERMAN, RUSSIAN, CHINESE, CODE])
def test_passages_fit_the_embedded_model(embedded: Model, text: str) -> None:
    """In any language no passage is cut, and each but the last fills more than half of what the model reads."""
    long = text * (6_000 // len(text))
    (limit,) = ModelWindow(embedded).chars("what was decided", [long])
    passages = [long[start:end] for start, end in split(long, limit, 100)]
    read = [tokens.cost for tokens in embedded.read("what was decided", passages)]
    assert len(passages) > 2
    assert all(cost < embedded.max_tokens for cost in read)
    assert all(cost > embedded.max_tokens / 2 for cost in read[:-1])
