"""What a reply says of its searches: the value of the control header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from bridge.headers import skipped
from bridge.interleave import Team
from bridge.ranking import StageScores, Window
from connectors.base import Order, Page, PassThrough, Reason, SearchPlan

Outcome = Reason | Sequence[StageScores]
"""Of one search: why it is in first-stage order, or what the stages gave that ordered it."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one search."""

    reason: Reason | None
    """Why it is in first-stage order; None where it is reranked."""
    stages: Sequence[StageScores] = ()
    """What was tried, where it was; what ordered it, where it is reranked."""
    order: Order | None = None
    window: Window | None = None
    """What was to be scored, where the search came so far."""
    teams: Sequence[Team | None] = ()
    """Who placed the hits of the window, in its order, where first stage and models took turns."""

    @property
    def outcome(self) -> Outcome:
        """What the control header says."""
        return self.stages if self.reason is None else self.reason


class Tried(NamedTuple):
    """What a search became, or would have become."""

    search: SearchPlan | PassThrough
    page: Page
    scored: Scored

    def is_interleaved(self) -> bool:
        """Whether first stage and models took turns."""
        return bool(self.scored.teams)


def interleaving(scored: Sequence[Scored]) -> str:
    """What the control header says beside, where first stage and models took turns."""
    return "; mode=interleave" if any(search.teams for search in scored) else ""


def told(outcomes: Sequence[Outcome]) -> str:
    """The control header's value, for one search or several."""
    if len(outcomes) == 1:
        (only,) = outcomes
        return skipped(only) if isinstance(only, Reason) else _applied(only)
    reasons = Counter(outcome.value for outcome in outcomes if isinstance(outcome, Reason))
    reranked = len(outcomes) - reasons.total()
    parts = ["applied" if reranked else "skipped", f"searches={len(outcomes)}", f"reranked={reranked}"]
    if reasons:
        parts.append("reasons=" + ",".join(f"{reason}:{count}" for reason, count in reasons.most_common()))
    return "; ".join(parts)


def _applied(stages: Sequence[StageScores]) -> str:
    """With numbers of texts scored where there are several stages, or some have none."""
    window, first, last = len(stages[0].scores), stages[0], stages[-1]
    parts = ["applied", f"window={window}", "model=" + ",".join(quote(stage.model_name) for stage in stages)]
    if len(stages) > 1 or first.scored < window:
        parts.append("scored=" + ",".join(str(stage.scored) for stage in stages))
    if last.cut is not None:
        parts.append(f"cut={last.cut.value}")
    return "; ".join(parts)
