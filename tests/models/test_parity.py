from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from bridge.models.base import Model
from bridge.models.catalog import load

WORDS = [
    "open",
    "returns",
    "an",
    "iterator",
    "over",
    "the",
    "lines",
    "of",
    "a",
    "file",
    "and",
    "women",
    "who",
    "took",
    "statins",
    "for",
    "ten",
    "years",
]
QUERIES = ("how do I read a file?", "statins breast cancer", "检索 системы", "", "  spaced \n\t out  ", "ﬁle Größe 10")
TEXTS = (
    "",
    "\n",
    "File",
    "NUL \x00 inside",
    "числа и слова, 検索エンジン, محرك البحث, εργαλείο 🙂 e\u0301",
    "<|im_end|> and [SEP] in the text",
    "    def read(path):\n        return open(path).read()\n",
)
MIXED = [(QUERIES[n % 6], TEXTS[n] if n < 7 else " ".join(WORDS[k % 18] for k in range(n, n * 7))) for n in range(45)]
MANY = [(QUERIES[n % 6], " ".join(WORDS[k * n % 18] for k in range(n % 97))) for n in range(300)]
LONG = " ".join(WORDS * 800)
MEDIUM = " ".join(WORDS * 60)  # the reference needs a minute for a v1 pair of two long texts
LONG_WORD = "x" * 30_000


def letters_by_script(count: int) -> list[str]:
    """Some letters of each of as many scripts, which a letter's name begins with."""
    scripts: dict[str, str] = {}
    for character in map(chr, range(0x40, 0x1_8000)):
        script = unicodedata.name(character, "").partition(" ")[0]
        if script and unicodedata.category(character)[0] == "L":
            scripts[script] = scripts.get(script, "") + character
    return [letters[:40] for letters in scripts.values()][:count]


SCRIPTS = [(letters[:5], letters) for letters in letters_by_script(100)]


def overlong(text: str) -> list[list[tuple[str, str]]]:
    """In batches of one, since the reference pads to the longest."""
    return [[("short", text)], [(text, "short")], [(text, text)], [("short", LONG_WORD)]]


@dataclass(frozen=True, slots=True)
class Case:
    """Batches that the reference reads one by one, padded within."""

    family: str
    folder: str
    batches: list[list[tuple[str, str]]]
    options: dict[str, str] = field(default_factory=dict)


CASES: dict[str, Case] = {
    "v2, one pair": Case("v2", "qwen2_folder", [MIXED[:1]]),
    "v2, 300 pairs": Case("v2", "qwen2_folder", [MANY]),
    "v2, 100 scripts": Case("v2", "qwen2_folder", [SCRIPTS]),
    "v2, with an instruction": Case("v2", "qwen2_folder", [MIXED], {"instruction": "Prefer answers in Größe 10."}),
    "v2, over-long query and document": Case("v2", "qwen2_folder", overlong(LONG)),
    "v2, few positions, one pair": Case("v2", "short_qwen2_folder", [MIXED[:1]]),
    "v2, few positions, 45 pairs": Case("v2", "short_qwen2_folder", [MIXED]),
    "v2, few positions, over-long query and document": Case("v2", "short_qwen2_folder", overlong(LONG)),
    "v1, one pair": Case("v1", "deberta_folder", [MIXED[:1]]),
    "v1, 300 pairs": Case("v1", "deberta_folder", [MANY]),
    "v1, 100 scripts": Case("v1", "deberta_folder", [SCRIPTS]),
    "v1, over-long query and document": Case("v1", "deberta_folder", overlong(MEDIUM)),
}


@pytest.fixture(scope="session")
def reference_scores(reference_overlay: Path, request: pytest.FixtureRequest) -> dict[str, list[list[float]]]:
    """The reference's scores of every case, from one process: most of its time is the start."""
    jobs = [
        {
            "family": case.family,
            "folder": str(request.getfixturevalue(case.folder)),
            "batches": case.batches,
            "options": case.options,
        }
        for case in CASES.values()
    ]
    environment = os.environ | {"PYTHONPATH": str(reference_overlay), "HF_HUB_OFFLINE": "1"}
    script = Path(__file__).with_name("run_reference.py")
    done = subprocess.run(
        [sys.executable, script], input=json.dumps(jobs), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


def our_scores(model: Model, case: Case) -> list[list[float]]:
    """All pairs of a batch at once, whatever their query."""
    instruction = case.options.get("instruction", "")
    return [
        model.score([read for query, text in batch for read in model.read(query, [text], instruction)])
        for batch in case.batches
    ]


@pytest.mark.parametrize("case", CASES)
def test_scores_equal_those_of_the_reference_package(
    case: str, reference_scores: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """On the same weights and pairs, our score and that of mxbai-rerank 0.1.6 differ by less than 1e-4."""
    folder = request.getfixturevalue(CASES[case].folder)
    model = load(str(folder), device="cpu", precision="float32", cache_bytes=0)
    for own, reference in zip(our_scores(model, CASES[case]), reference_scores[case], strict=True):
        assert own == pytest.approx(reference, rel=0, abs=1e-4)


HALF = 0.02
"""What a score may differ by in bfloat16."""


@pytest.mark.parametrize("case", ["v2, 300 pairs", "v1, 300 pairs", "v2, over-long query and document"])
def test_half_precision_keeps_the_order(
    case: str, reference_scores: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """In bfloat16, scores differ by less than 0.02, and texts change places only where they were that near."""
    folder = request.getfixturevalue(CASES[case].folder)
    model = load(str(folder), device="cpu", precision="bfloat16", cache_bytes=0)
    for own, reference in zip(our_scores(model, CASES[case]), reference_scores[case], strict=True):
        assert own == pytest.approx(reference, rel=0, abs=HALF)
        best_first = sorted(range(len(own)), key=lambda place: -own[place])
        ours = [reference[place] for place in best_first]
        assert all(later - least < HALF for least, later in zip(accumulate(ours, min), ours, strict=True))


@pytest.mark.parametrize(("case", "spread"), [("v2, 300 pairs", 0.5), ("v1, 300 pairs", 0.3)])
def test_made_weights_tell_texts_apart(case: str, spread: float, reference_scores: dict[str, Any]) -> None:
    """The scores that parity is shown on differ among themselves thousands of times more than the tolerance."""
    (scores,) = reference_scores[case]
    assert max(scores) - min(scores) > spread
