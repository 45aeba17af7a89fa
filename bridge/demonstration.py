"""The demo from end to end: an engine, a corpus, a bridge, searches before and after, and the measures."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bridge.composition import bridging, described_scoring, open_direct
from bridge.config import Config
from bridge.demo.corpus import Document, build_corpus
from bridge.demo.questions import Question, load_questions
from bridge.demo.tour import INDEX, dataset, show_how_to_try, show_searches
from bridge.evaluate import command
from bridge.evaluate.client import open_client
from bridge.evaluate.evaluation import Plan, System
from bridge.server import stop_signal


def make_corpus(console: Console) -> tuple[tuple[Document, ...], tuple[Question, ...]]:
    """The documents, and the questions that this Python's documentation can answer. Raises ``DataError``."""
    with console.status("reading the documentation of the installed Python"):
        corpus = build_corpus()
        questions = load_questions({document.id for document in corpus})
    console.print(
        f"corpus: {len(corpus):,} documents, the documentation of Python {platform.python_version()}; "
        f"{len(questions)} questions, answers judged by hand",
        highlight=False,
    )
    return corpus, questions


@contextmanager
def told_step_by_step(console: Console) -> Iterator[Callable[[str], None]]:
    """Tells what is being waited for: in one line that changes on a terminal, else in a line each."""
    if not console.is_terminal:
        yield lambda line: console.print(line, markup=False, highlight=False)
        return
    with console.status("") as status:
        yield lambda line: status.update(escape(line))


async def demonstrate(
    config: Config, corpus: Sequence[Document], questions: Sequence[Question], *, once: bool, console: Console
) -> None:
    """Load, search, compare; then keep the bridge running until a stop signal, or end at once.

    Raises as ``bridging``, ``ensure_index`` and ``evaluate``.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = dataset(folder, corpus, questions)
        direct = await stack.enter_async_context(open_direct(config))
        await command.load_index(direct, data, INDEX, console)
        with console.status(f"loading the model: {config.model_text}"):
            bridge = await stack.enter_async_context(bridging(config))
        models = described_scoring(config, bridge.models)
        console.print(f"bridge: {bridge.running.url} -> {bridge.engine} at {direct.url}; {models}", highlight=False)
        bridged = await stack.enter_async_context(open_client(bridge.running.url, direct.dialect))
        await show_searches(questions, direct, bridged, console)
        console.print()
        systems = (System("direct", direct, is_bridge=False), System("bridged", bridged))
        await command.run(Plan(data.queries, data.qrels, INDEX, direct.dialect.usual()), systems, console)
        if once:
            return
        show_how_to_try(direct, bridge.running.url, console)
        console.print("\nBoth keep running. Ctrl-C stops them.", highlight=False)
        await stop_signal()
        console.print("stopping", highlight=False)
