"""A dataset on bread, small enough to be judged by eye, and with words for many hits."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.evaluate.dataset import Dataset, read_dataset

_TEXTS = (
    ("Bread", "Bread, bread and bread: the word bread stands here more often than anything is said of bread."),
    ("Loaf", "How to bake a loaf at home, step by step, for people who never baked bread before."),
    ("Bakery", "A shop that sells bread, rolls and cakes in the morning."),
    ("Toast", "Slices of bread browned by heat, eaten with butter."),
    ("Flour", "Ground wheat, from which bread is made; it is sold by weight."),
    ("Yeast", "What makes the dough of bread rise: a fungus that eats sugar."),
    ("Oven", "A hot box in which bread is baked for an hour."),
    ("Knife", "A long blade with teeth cuts bread without crushing it."),
    ("Duck", "Birds on the pond should not be fed with bread, which makes them ill."),
    ("Salary", "Bread is also a word for the money that somebody earns."),
    ("Mould", "Old bread turns green; do not eat bread that smells of cellar."),
    ("Market", "Where to buy bread on Saturdays, beside fruit and fish."),
)
BAKERY_QUERIES = {
    "q1": "instructions to bake bread yourself",
    "q2": "shops to buy bread",
    "q3": "why does bread rise",
    "q4": "is bread bad for animals",
}
BAKERY_QRELS = {
    "q1": {"d1": 2, "d6": 1},
    "q2": {"d2": 2, "d11": 2},
    "q3": {"d5": 2},
    "q4": {"d8": 2, "d10": 1},
}


def bakery(folder: Path) -> Dataset:
    """Writes it into a folder in BEIR format, and reads it."""
    (folder / "qrels").mkdir()
    _write(folder / "corpus.jsonl", [_document(number, *text) for number, text in enumerate(_TEXTS)])
    _write(folder / "queries.jsonl", [{"_id": name, "text": text} for name, text in BAKERY_QUERIES.items()])
    judged = [f"{query}\t{doc}\t{grade}\n" for query, grades in BAKERY_QRELS.items() for doc, grade in grades.items()]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return read_dataset(folder)


def _document(number: int, title: str, text: str) -> dict[str, str]:
    return {"_id": f"d{number}", "title": title, "text": text}


def _write(file: Path, lines: list[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
