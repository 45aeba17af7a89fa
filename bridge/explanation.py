"""What became of each search of a reply, and why: the value of the member that ``X-Rerank: explain`` adds.

Of the hits it tells those of the client's own page, which the reply shows; of their texts, what the model read.
The names and meanings of all members are in ``docs/explain.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bridge.interleave import Team
from bridge.outcome import Scored
from bridge.ranking import Ranking, StageScores, Window
from connectors.base import Candidate, HitPage, Page, PassThrough, RankedHit, Reason, SearchPlan
from connectors.reasons import SENTENCES

MAX_PASSAGE_CHARS = 300
"""Of a text that is told: what a person reads at a glance."""

_SCORE_DECIMALS = 7  # of a score that a connector writes

Identity = Callable[[HitPage, int], Mapping[str, object]]
"""What names the hit at a place of a page to the client."""


class FirstStage(msgspec.Struct, frozen=True):
    """Where the engine had a hit."""

    rank: int
    score: float


class ModelScore(msgspec.Struct, frozen=True):
    """What one model gave a hit."""

    model: str
    score: float


class HitExplained(
    msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, rename={"index": "_index", "id": "_id"}
):
    """One hit of the client's page, in its order."""

    index: object = None
    id: object = None
    rank: int
    """From 1, over all pages."""
    score: float
    first_stage: FirstStage
    models: tuple[ModelScore, ...] = ()
    """In the order of the stages; none where no model read the hit."""
    passage: str = ""
    """What the last of them read that gave its score; of a text read whole, the beginning."""
    protected: Literal["pinned", "exact"] | None = None
    """Why the hit stands where it stands, whatever the models say."""
    placed_by: Team | None = None
    """Whose turn it was, where first stage and models took turns."""


class StageExplained(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one model did."""

    model: str
    ranking: Ranking
    scored: int
    milliseconds: float
    blend_weight: float | None = None
    cut: Reason | None = None


class SearchExplained(msgspec.Struct, frozen=True, omit_defaults=True, rename={"start": "from"}):
    """One search: what was read, and what was made of it."""

    outcome: Literal["applied", "skipped", "planned"]
    reason: Reason | None = None
    because: str | None = None
    query_text: str | None = None
    fields: tuple[str, ...] | None = None
    indices: tuple[str, ...] = ()
    instruction: str = ""
    start: int | None = None
    size: int | None = None
    window: int | None = None
    """First-stage hits that are scored, at most."""
    fetched: int | None = None
    stages: tuple[StageExplained, ...] = ()
    hits: tuple[HitExplained, ...] = ()


class Times(msgspec.Struct, frozen=True, omit_defaults=True):
    """Milliseconds of the whole exchange."""

    engine: float
    models: float | None = None
    """Unset, as is ``bridge``, where the request was passed through as a whole."""
    bridge: float | None = None


class Explanation(msgspec.Struct, frozen=True):
    """All of it."""

    searches: tuple[SearchExplained, ...]
    """In the order of the request; one where it was passed through as a whole."""
    milliseconds: Times


def of_skipped(skipped: PassThrough, upstream_s: float) -> Explanation:
    """Of a request that was passed through as a whole."""
    return Explanation((read(skipped.read or skipped, skipped.reason),), Times(milliseconds(upstream_s)))


def read(search: SearchPlan | PassThrough, reason: Reason | None, instruction: str = "") -> SearchExplained:
    """What is known of a search before it is scored; without a reason it is one that is planned to be."""
    told = SearchExplained(
        outcome="planned" if reason is None else "skipped",
        reason=reason,
        because=None if reason is None else SENTENCES.get(reason),
    )
    if isinstance(search, PassThrough):
        return told
    return msgspec.structs.replace(
        told,
        query_text=search.query_text,
        fields=tuple(field.name for field in search.text_fields),
        indices=search.indices,
        instruction=_encodable(instruction),
        start=search.start,
        size=search.size,
        window=search.policy.window,
    )


def of_search(search: SearchPlan | PassThrough, page: Page, scored: Scored, identity: Identity) -> SearchExplained:
    """What became of one search of a reply."""
    window = scored.window
    told = read(search, scored.reason, window.instruction if window is not None else "")
    if isinstance(search, PassThrough) or isinstance(page, PassThrough):
        return told
    told = msgspec.structs.replace(told, fetched=len(page.first_stage_scores), stages=tuple(map(_stage, scored.stages)))
    if scored.order is None or window is None:
        return told
    shown = enumerate(scored.order[search.start : search.start + search.size], start=search.start + 1)
    hits = tuple(_hit(rank, hit, page, scored, window, identity) for rank, hit in shown)
    return msgspec.structs.replace(told, outcome="applied", hits=hits)


def _stage(stage: StageScores) -> StageExplained:
    return StageExplained(
        model=stage.model_name,
        ranking=stage.rule.ranking,
        scored=stage.scored,
        milliseconds=milliseconds(stage.seconds),
        blend_weight=stage.rule.blend_weight if stage.rule.ranking == "blend" else None,
        cut=stage.cut,
    )


def _hit(  # noqa: PLR0913 - all that there is to a hit
    rank: int, hit: RankedHit, page: HitPage, scored: Scored, window: Window, identity: Identity
) -> HitExplained:
    place, stages = hit.first_stage_index, scored.stages
    named = identity(page, place)
    return HitExplained(
        rank=rank,
        score=round(hit.score, _SCORE_DECIMALS),
        first_stage=FirstStage(place + 1, page.first_stage_scores[place]),
        index=named.get("_index"),
        id=named.get("_id"),
        models=tuple(_model_scores(stages, place)),
        passage=_passage(stages, window, place) if place < len(window.texts) else "",
        protected=_protection(page.candidates[place]) if place < len(page.candidates) else None,
        placed_by=scored.teams[rank - 1] if rank <= len(scored.teams) else None,
    )


def _passage(stages: Sequence[StageScores], window: Window, place: int) -> str:
    text = window.texts[place]
    last = next((stage for stage in reversed(stages) if stage.scores[place] is not None), None)
    extent = last.passages[place] if last is not None and last.passages else None
    start, end = extent or (0, len(text))
    return text[start : min(end, start + MAX_PASSAGE_CHARS)]


def _protection(candidate: Candidate) -> Literal["pinned", "exact"] | None:
    return "pinned" if candidate.is_pinned else "exact" if candidate.is_exact else None


def _model_scores(stages: Sequence[StageScores], place: int) -> Iterator[ModelScore]:
    for stage in stages:
        score = stage.scores[place] if place < len(stage.scores) else None
        if score is not None:
            yield ModelScore(stage.model_name, score)


def milliseconds(seconds: float) -> float:
    """With a tenth, as ``Server-Timing`` has it."""
    return round(seconds * 1000, 1)


def _encodable(text: str) -> str:
    """A header field's text, whose bytes need not be UTF-8."""
    return text.encode(errors="replace").decode()
