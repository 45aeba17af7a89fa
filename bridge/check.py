"""Whether a bridge would work: the engine, the model, and one search through both, in plain words."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from bridge.addresses import parse_address
from bridge.assembly import Models, load_models
from bridge.command_line import rolled_out
from bridge.composition import bridging, described, described_indices, identify, open_direct
from bridge.config import Config
from bridge.errors import BridgeError
from bridge.evaluate.client import SearchClient, open_client
from bridge.evaluate.side_by_side import search, search_both, table
from bridge.upstream import Upstream

_EXAMPLE_WORDS = 8
_EXAMPLE_DOCUMENTS = 20


@dataclass(frozen=True, slots=True)
class Example:
    """The search to try; what is empty is chosen from what the engine holds."""

    index: str = ""
    query_text: str = ""


async def check(config: Config, example: Example, console: Console) -> bool:
    """Whether all is well; prints each finding, and what to do about it."""
    answering = tuple([address for address in config.upstream if await _answers(config, address, console)])
    models = await _load_models(config, console)
    if models is None or not answering:
        return False
    reachable = config.model_copy(update={"upstream": answering})
    return await _check_search(reachable, models, example, console) and answering == config.upstream


async def _answers(config: Config, address: str, console: Console) -> bool:
    alone = config.model_copy(update={"upstream": (address,), "engine": "auto"})
    try:
        async with Upstream(alone) as upstream:
            engine = await identify(alone, upstream)
    except BridgeError as error:
        _say(console, "engine", f"[red]{escape(str(error))}[/]")
        return False
    _say(console, "engine", escape(f"{parse_address(address)} answers: {engine}"))
    return True


async def _load_models(config: Config, console: Console) -> Models | None:
    started_s = time.perf_counter()
    try:
        with console.status(f"loading {config.model_text}"):
            models = await load_models(config)
    except BridgeError as error:
        _say(console, "model", f"[red]{escape(str(error))}[/]")
        return None
    spent_s = time.perf_counter() - started_s
    for replicas in models.values():
        _say(console, "model", escape(f"{described(replicas)}, a {replicas[0].kind}"))
    for line in described_indices(config):
        _say(console, "indices", escape(line))
    _say(console, "memory", f"scores are kept in up to {config.score_cache_mib:,} MiB; loaded in {spent_s:.1f} s")
    return models


async def _check_search(config: Config, models: Models, example: Example, console: Console) -> bool:
    inside = rolled_out(config).model_copy(update={"listen": "127.0.0.1:0", "score_timeout_s": None})
    try:
        async with AsyncExitStack() as stack:
            direct = await stack.enter_async_context(open_direct(config))
            index = example.index or direct.dialect.everywhere
            if not index:
                _say(console, "search", "name a core or collection to search: --index NAME")
                return True
            field, words = await _words_of_a_document(direct, index)
            query_text = example.query_text or words
            if not query_text:
                _say(console, "search", "the engine holds no text yet, so there is nothing to try; load something")
                return True
            bridge = await stack.enter_async_context(bridging(inside, models))
            bridged = await stack.enter_async_context(open_client(bridge.running.url, direct.dialect))
            pages = await search_both(direct, bridged, index, direct.dialect.about(query_text, field))
    except (BridgeError, OSError) as error:
        _say(console, "search", f"[red]{escape(str(error))}[/]")
        return False
    _say(console, "search", escape(f"X-Rerank: {pages.rerank}"))
    console.print(table(pages, f"{query_text!r} in {index!r}"))
    return True


async def _words_of_a_document(direct: SearchClient, index: str) -> tuple[str, str]:
    """The field of a long text, and some words of it; empty where there is no text."""
    hits, _ = await search(direct, index, direct.dialect.some(_EXAMPLE_DOCUMENTS))
    texts = ((name, text) for hit in hits for name, text in hit.source.items() if isinstance(text, str))
    field, longest = max(texts, key=lambda entry: len(entry[1]), default=("", ""))
    words = [word for word in longest.split() if word.isalpha()]
    return field, " ".join(words[:_EXAMPLE_WORDS])


def _say(console: Console, what: str, finding: str) -> None:
    console.print(f"[bold]{what + ':':<8}[/] {finding}", soft_wrap=True)
