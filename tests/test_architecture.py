"""The order of imports that the design fixes, read from the code, and what starting the bridge imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TENSOR_PACKAGES = {"torch", "transformers", "safetensors", "tokenizers", "sentencepiece", "huggingface_hub"}

LAYERS: tuple[tuple[str, ...], ...] = (
    ("connectors",),
    ("bridge.version", "bridge.errors", "bridge.cache_use", "bridge.metrics_table"),
    ("bridge.addresses", "bridge.headers", "bridge.packing", "bridge.score_cache"),
    ("bridge.modes",),
    ("bridge.operation_config",),
    ("bridge.index_config", "bridge.config"),
    ("bridge.guards", "bridge.interleave", "bridge.passages", "bridge.ranking"),
    ("bridge.config_sources",),
    ("bridge.logs", "bridge.telemetry"),
    ("bridge.tracing",),
    ("bridge.models",),
    ("bridge.ranker",),
    ("bridge.model_window", "bridge.queue"),
    ("bridge.cascade", "bridge.window_scores", "bridge.outcome"),
    ("bridge.explanation",),
    (
        "bridge.stopwatch",
        "bridge.long_work",
    ),
    ("bridge.scorer_samples",),
    ("bridge.scorer", "bridge.upstream_session", "bridge.upload", "bridge.exact_response"),
    ("bridge.upstream", "bridge.client", "bridge.engine_answers", "bridge.line_log", "bridge.capture"),
    ("bridge.exchange",),
    ("bridge.rollout",),
    ("bridge.pages",),
    ("bridge.status", "bridge.evaluate", "bridge.replay", "bridge.demo"),
    ("bridge.gateway",),
    ("bridge.server",),
    ("bridge.generations",),
    ("bridge.admin", "bridge.assembly", "bridge.live_config"),
    ("bridge.composition",),
    ("bridge.operation",),
    (
        "bridge.bench",
        "bridge.check",
        "bridge.metrics_page",
        "bridge.demonstration",
        "bridge.reference",
        "bridge.reference_solr",
        "bridge.rerank_command",
        "bridge.explain_command",
        "bridge.sweep_command",
        "bridge.command_line",
    ),
    (
        "bridge.evaluate_command",
        "bridge.judge_command",
        "bridge.replay_command",
        "bridge.switch_command",
        "bridge.size_command",
    ),
    ("bridge.cli",),
    ("bridge.__main__",),
)
"""Left to right: a module imports from its own entry and those before it. A package stands for all that is in it."""


def modules() -> dict[str, Path]:
    files = (file for package in ("bridge", "connectors") for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(name: str, file: Path, *, only_at_start: bool = False) -> Iterator[str]:
    """The modules that a file imports; at its start means outside functions, where importing it is enough."""
    tree = ast.parse(file.read_bytes())
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    lazy = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if only_at_start and node in lazy:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            source = ".".join(part for part in (parent if node.level else "", node.module) if part)
            yield from (f"{source}.{alias.name}" for alias in node.names)


def known(imported: str) -> str:
    """The module of ours that an import names, or all of it where it is foreign."""
    ours = MODULES.keys()
    return imported if imported in ours or imported.rpartition(".")[0] not in ours else imported.rpartition(".")[0]


def layer(name: str) -> int:
    places = [
        place
        for place, entries in enumerate(LAYERS)
        if any(name == entry or name.startswith(f"{entry}.") for entry in entries)
    ]
    assert places, f"{name} stands in no layer"
    return places[0]


MODULES = modules()
OURS = sorted(name for name in MODULES if name != "bridge")


@pytest.mark.parametrize("name", OURS)
def test_imports_go_from_right_to_left(name: str) -> None:
    """No module imports what stands to its right, so each can be read with what stands to its left in mind."""
    found = {known(imported) for imported in imports(name, MODULES[name])}
    ours = {imported for imported in found if imported.split(".")[0] in {"bridge", "connectors"}} - {"bridge"}
    assert {imported for imported in ours if layer(imported) > layer(name)} == set()


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("connectors")])
def test_connectors_are_pure(name: str) -> None:
    """Connectors import the standard library without its I/O, msgspec, and each other."""
    roots = {imported.split(".")[0] for imported in imports(name, MODULES[name])}
    foreign = roots - sys.stdlib_module_names - {"connectors", "msgspec"}
    assert (foreign, roots & {"asyncio", "socket", "ssl", "threading", "subprocess", "os", "time"}) == (set(), set())


@pytest.mark.parametrize("name", [name for name in OURS if not name.startswith(("bridge.models.", "bridge.bench."))])
def test_tensors_stay_with_the_models(name: str) -> None:
    """No module but the models and their benchmarks imports torch and its kin, not even within a function."""
    assert {imported.split(".")[0] for imported in imports(name, MODULES[name])} & TENSOR_PACKAGES == set()


@pytest.mark.parametrize("name", ["bridge.models", "bridge.models.base", "bridge.models.catalog"])
def test_the_catalog_of_models_imports_no_tensors(name: str) -> None:
    """What says which models there are imports a model when one is loaded, and not before."""
    found, new = set[str](), {name}
    while new:
        found |= new
        new = {
            known(seen) for ours in new & MODULES.keys() for seen in imports(ours, MODULES[ours], only_at_start=True)
        }
        new -= found
    assert {imported.split(".")[0] for imported in found} & TENSOR_PACKAGES == set()


def test_no_module_is_named_for_nothing() -> None:
    """Each module has a name that says what is in it."""
    words = {"utils", "util", "helpers", "common", "manager", "handler", "misc"}
    assert {name for name in OURS if name.rpartition(".")[2].strip("_") in words} == set()


def test_modules_are_short() -> None:
    """No module has more than 400 lines."""
    assert {name: lines for name in OURS if (lines := len(MODULES[name].read_text().splitlines())) > 400} == {}


IMPORTED = f"import sys; print(*({TENSOR_PACKAGES!r} & set(sys.modules)))"


@pytest.mark.parametrize(
    "statement",
    [
        "import bridge.exchange, bridge.server",
        "import bridge.composition, bridge.models.catalog",
        "import bridge.cli",
        "import connectors.opensearch, connectors.elasticsearch",
    ],
)
def test_starting_imports_no_tensors(statement: str) -> None:
    """A bridge whose model runs elsewhere, and the help, start without torch."""
    command = [sys.executable, "-c", f"{statement}; {IMPORTED}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_help_imports_no_tensors() -> None:
    """The help of the command line is there at once."""
    script = (
        "import sys\nfrom bridge.cli import main\nsys.argv = ['rerank-bridge', '--help']\n"
        f"try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n{IMPORTED}; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert "serve" in done.stdout
    assert done.stdout.splitlines()[-1].strip() == ""
