"""OpenSearch's search pipelines: whether the hits that they give may be ordered anew, and how many may be fetched.

A pipeline is named by the search, in its URL or body, stands in the body itself, or is the default of the index.
Processors that are not in the tables may do anything. Sources: "Search pipelines", "Search processors" and the page of
each processor, OpenSearch 2.7 to 3.5; which pipeline is meant: ``SearchPipelineService.resolvePipeline``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from connectors._questions import Asker
from connectors.base import Question, Reason

_NONE = "_none"
DEFAULT_PIPELINE = "index.search.default_pipeline"

PHASES: Mapping[str, frozenset[str]] = {
    "request_processors": frozenset(
        {"filter_query", "ml_inference", "neural_query_enricher", "neural_sparse_two_phase_processor", "oversample"}
    ),
    "phase_results_processors": frozenset({"normalization-processor", "score-ranker-processor"}),
    "response_processors": frozenset(
        {
            *("rename_field", "sort", "split", "hybrid_score_explanation", "collapse", "truncate_hits"),
            *("ml_inference", "retrieval_augmented_generation"),
        }
    ),
}
"""Processors whose hits may be ordered anew. Not there: ``rerank`` and ``personalize_search_ranking``, which order
them by what they mean; ``script``, which may set the size; agents, which write the query."""

COUNTS_HITS = frozenset(
    {
        *("neural_sparse_two_phase_processor", "oversample"),  # they multiply the size
        *("collapse", "truncate_hits"),  # they take hits out
        "retrieval_augmented_generation",  # it has a language model read all hits
    }
)
"""Processors that do another thing where more hits are fetched."""

_COUNTS_HITS_OF_REPLIES = COUNTS_HITS | {"ml_inference"}  # it has a model read each hit
_CUTS = "truncate_hits"
_MULTIPLIES = "oversample"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a pipeline means for a search that can be reranked."""

    renames: tuple[tuple[str, str], ...] = ()
    """Fields of hits, and what they are called afterwards."""
    counts_hits: bool = False
    """Whether no more hits may be fetched than the client wants."""


def pipeline_of(asker: Asker, in_url: str | None, in_body: object) -> Pipeline | Question | Reason:
    """What happens to the hits of a search, or what has to be known first, or why they are left alone.

    ``in_url`` is a name, ``in_body`` a name or the pipeline itself; None where the search says nothing there.
    """
    if isinstance(in_body, dict):
        return Reason.SEARCH_PIPELINE if in_url is not None else _described(in_body)
    name = in_url if in_url is not None else in_body
    if name is None:
        name = _default(asker)
    if isinstance(name, Question):
        return name
    if not isinstance(name, str):
        return Reason.SEARCH_PIPELINE
    return Pipeline() if name == _NONE else _stored(asker, name)


def _default(asker: Asker) -> str | Question:
    """The pipeline of the indices; none where they differ in it, or the client may not read their settings."""
    settings = asker.ask_indices(f"_settings/{DEFAULT_PIPELINE}")
    if isinstance(settings, Question):
        return settings
    names = set(_defaults(settings or {}))
    return names.pop() if len(names) == 1 else _NONE


def _defaults(settings: Mapping[str, object]) -> Iterator[str]:
    for index in settings.values():
        value: object = index
        for key in ("settings", *DEFAULT_PIPELINE.split(".")):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            yield value


def _stored(asker: Asker, name: str) -> Pipeline | Question | Reason:
    found = asker.ask(f"/_search/pipeline/{quote(name, safe='')}")
    if isinstance(found, Question):
        return found
    described = found.get(name) if found is not None else None
    return _described(described) if isinstance(described, dict) else Reason.SEARCH_PIPELINE


def _described(pipeline: Mapping[str, object]) -> Pipeline | Reason:
    processors = {phase: list(_processors(pipeline.get(phase, []))) for phase in PHASES}
    for phase, known in PHASES.items():
        if any(kind not in known for kind, _ in processors[phase]):
            return Reason.SEARCH_PIPELINE
    asks = {kind for kind, _ in processors["request_processors"]}
    replies = {kind for kind, _ in processors["response_processors"]}
    if _MULTIPLIES in asks and _CUTS not in replies:  # the page has more hits than the client's size says
        return Reason.SEARCH_PIPELINE
    return Pipeline(
        renames=tuple(_renames(processors["response_processors"])),
        counts_hits=bool(asks & COUNTS_HITS or replies & _COUNTS_HITS_OF_REPLIES),
    )


def _processors(value: object) -> Iterator[tuple[str, object]]:
    """Kinds and settings, in their order; a kind without a name where it can't be read."""
    for entry in value if isinstance(value, list) else [value]:
        yield from entry.items() if isinstance(entry, dict) else [("", None)]


def _renames(processors: list[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    for kind, settings in processors:
        if kind == "rename_field" and isinstance(settings, dict):
            old, new = settings.get("field"), settings.get("target_field")
            if isinstance(old, str) and isinstance(new, str):
                yield old, new
