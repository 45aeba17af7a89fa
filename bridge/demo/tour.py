"""What the demo shows once an engine and a bridge answer: searches side by side, the measures, and how to try it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape

from bridge.demo.corpus import Document
from bridge.demo.questions import Question
from bridge.evaluate.client import SearchClient
from bridge.evaluate.dataset import Dataset
from bridge.evaluate.side_by_side import search_both, table

INDEX = "python-docs"
PAGE = 5
SHOWN_QUESTIONS = 3


def dataset(folder: Path, corpus: Sequence[Document], questions: Sequence[Question] = ()) -> Dataset:
    """Corpus and judged questions as a dataset, its documents in a file of the folder."""
    file = folder / "corpus.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(document) + b"\n" for document in corpus))
    return Dataset(
        corpus=file,
        document_count=len(corpus),
        queries={question.id: question.text for question in questions},
        qrels={question.id: dict(question.judgments) for question in questions},
        notes=(),
    )


async def show_searches(
    questions: Sequence[Question], direct: SearchClient, bridged: SearchClient, console: Console
) -> None:
    """Prints the first pages of a few questions, direct and bridged, with the judged answers marked."""
    template = direct.dialect.usual()
    marks = "[bold green]*[/] is judged to answer or to help; 'was' is the place in the direct order"
    console.print(f"\n[bold]Before and after[/], a few of {len(questions)} questions ({marks})")
    for question in questions[:: max(1, len(questions) // SHOWN_QUESTIONS)][:SHOWN_QUESTIONS]:
        pages = await search_both(direct, bridged, INDEX, template.fill(question.text, PAGE))
        console.print(table(pages, question.text, question.judgments))


def show_how_to_try(direct: SearchClient, bridge_url: str, console: Console) -> None:
    """Prints the same search for both addresses, to copy and paste."""
    console.print("\n[bold]Try it[/]: the same search, straight to the engine and through the bridge")
    words = "copy a folder with everything in it"
    dialect = direct.dialect
    body = dialect.usual().fill(words, PAGE).decode()
    for url in (direct.url, bridge_url):
        command = (
            f"curl -si '{url}/{dialect.search_path(INDEX)}?{dialect.brief}' "
            f"-H 'Content-Type: application/json' -d '{body}'"
        )
        console.print(f"\n  {escape(command)}", soft_wrap=True, highlight=False)
