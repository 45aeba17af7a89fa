"""OpenSearch's search pipelines: whether the hits that they give may be ordered anew, and how many may be fetched.

A pipeline is named by the search, in its URL or body, stands in the body itself, or is the default of the index.
Processors that are not in the tables may do anything. Sources: "Search pipelines", "Search processors" and the page of
each processor, OpenSearch 2.7 to 3.5; which pipeline is meant: ``SearchPipelineService.resolvePipeline``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from connectors import _questions
from connectors.base import Answers, Question, Reason, Request

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


@dataclass(frozen=True, slots=True)
class Named:
    """Where a search says which pipeline is meant."""

    in_url: str | None
    in_body: object
    """A name, or the pipeline itself."""
    indices: tuple[str, ...]
    parameters: Mapping[str, str]
    has_own_indices: bool
    """Whether the path's indices are not those of the search: it goes to a point in time."""


def pipeline_of(request: Request, named: Named, answers: Answers) -> Pipeline | Question | Reason:
    """What happens to the hits of a search, or what has to be known first, or why they are left alone."""
    if isinstance(named.in_body, dict):
        return Reason.SEARCH_PIPELINE if named.in_url is not None else _described(named.in_body)
    name = named.in_url if named.in_url is not None else named.in_body
    if name is None:
        name = _default(request, named, answers)
    if isinstance(name, Question):
        return name
    if not isinstance(name, str):
        return Reason.SEARCH_PIPELINE
    return Pipeline() if name == _NONE else _stored(request, name, answers)


def _default(request: Request, named: Named, answers: Answers) -> str | Question:
    """The pipeline of the indices; none where they differ in it, or the client may not read their settings."""
    path = _questions.path_of(named.indices, f"_settings/{DEFAULT_PIPELINE}", named.parameters)
    if path is None or named.has_own_indices:
        return _NONE
    question = _questions.about(request, path)
    if question not in answers:
        return question
    names = set(_defaults(_questions.read(answers[question]) or {}))
    return names.pop() if len(names) == 1 else _NONE


def _defaults(settings: Mapping[str, object]) -> Iterator[str]:
    for index in settings.values():
        value: object = index
        for key in ("settings", *DEFAULT_PIPELINE.split(".")):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            yield value


def _stored(request: Request, name: str, answers: Answers) -> Pipeline | Question | Reason:
    question = _questions.about(request, f"/_search/pipeline/{quote(name, safe='')}")
    if question not in answers:
        return question
    found = _questions.read(answers[question])
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
