"""Scores by the package mxbai-rerank itself. Run with the overlay on PYTHONPATH: jobs in, scores out, both JSON.

A job is ``{"family": "v1" | "v2", "folder": ..., "batches": [[[query, document], ...], ...], "options": {...}}``; the
answer to it is one list of scores per batch. Options go to ``predict``.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    package = import_module("mxbai_rerank")  # only the overlay has it

    classes = {"v1": package.MxbaiRerankV1, "v2": package.MxbaiRerankV2}
    answers: list[Any] = []
    for job in json.load(sys.stdin):
        # Without a device map the package needs no accelerate; it runs on the CPU all the same.
        model = classes[job["family"]](job["folder"], device="cpu", device_map=None).eval()
        answers.append(
            [
                model.predict(*map(list, zip(*batch, strict=True)), **job["options"]).reshape(-1).tolist()
                for batch in job["batches"]
            ]
        )
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
