from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.models.base import Pair
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
LONG = " ".join(WORDS * 800)
MEDIUM = " ".join(WORDS * 60)  # the reference needs a minute for a v1 pair of two long texts
LONG_WORD = "x" * 30_000


def overlong(text: str) -> list[list[tuple[str, str]]]:
    """In batches of one, since the reference pads to the longest."""
    return [[("short", text)], [(text, "short")], [(text, text)], [("short", LONG_WORD)]]


CASES: dict[str, tuple[str, str, list[list[tuple[str, str]]]]] = {
    "v2, one pair": ("v2", "qwen2_folder", [MIXED[:1]]),
    "v2, 45 pairs": ("v2", "qwen2_folder", [MIXED]),
    "v2, over-long query and document": ("v2", "qwen2_folder", overlong(LONG)),
    "v2, few positions, one pair": ("v2", "short_qwen2_folder", [MIXED[:1]]),
    "v2, few positions, 45 pairs": ("v2", "short_qwen2_folder", [MIXED]),
    "v2, few positions, over-long query and document": ("v2", "short_qwen2_folder", overlong(LONG)),
    "v1, one pair": ("v1", "deberta_folder", [MIXED[:1]]),
    "v1, 45 pairs": ("v1", "deberta_folder", [MIXED]),
    "v1, over-long query and document": ("v1", "deberta_folder", overlong(MEDIUM)),
}


@pytest.fixture(scope="session")
def reference_scores(reference_overlay: Path, request: pytest.FixtureRequest) -> dict[str, list[list[float]]]:
    """The reference's scores of every case, from one process: most of its time is the start."""
    jobs = [
        {"family": family, "folder": str(request.getfixturevalue(folder)), "batches": batches}
        for family, folder, batches in CASES.values()
    ]
    environment = os.environ | {"PYTHONPATH": str(reference_overlay), "HF_HUB_OFFLINE": "1"}
    script = Path(__file__).with_name("run_reference.py")
    done = subprocess.run(
        [sys.executable, script], input=json.dumps(jobs), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_scores_equal_those_of_the_reference_package(
    case: str, reference_scores: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """On the same weights and pairs, our score and that of mxbai-rerank 0.1.6 differ by less than 1e-4."""
    _, folder, batches = CASES[case]
    model = load(str(request.getfixturevalue(folder)), device="cpu", cache_bytes=0)
    ours = [model.score([Pair(*pair) for pair in batch]) for batch in batches]
    for own, reference in zip(ours, reference_scores[case], strict=True):
        assert own == pytest.approx(reference, rel=0, abs=1e-4)


@pytest.mark.parametrize(("case", "spread"), [("v2, 45 pairs", 0.5), ("v1, 45 pairs", 0.3)])
def test_made_weights_tell_texts_apart(case: str, spread: float, reference_scores: dict[str, Any]) -> None:
    """The scores that parity is shown on differ among themselves thousands of times more than the tolerance."""
    (scores,) = reference_scores[case]
    assert max(scores) - min(scores) > spread
