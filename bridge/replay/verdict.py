"""Whether it is safe to switch: ``ready``, ``look here first`` or ``do not switch``, by thresholds that are printed.

Each check says what it saw; the worst of them is the verdict, and the exit status of the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from bridge.errors import ConfigError
from bridge.replay.summary import NO_HEADER, Summary

Word = Literal["ready", "look here first", "do not switch"]
EXIT_STATUS: dict[Word, int] = {"ready": 0, "look here first": 1, "do not switch": 3}
"""2 is left for a command line or file that is broken."""
_WITHOUT_ORDER = frozenset({"skipped: too-few-hits", "skipped: size-zero"})
_WORDS: tuple[Word, ...] = ("ready", "look here first", "do not switch")


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on a figure is looked at, or stops; shares are of all searches."""

    failed_stop: float = 0.0
    """Share of searches that fail through the bridge though the engine answers: more stops."""
    skipped_look: float = 0.5
    """Share in first-stage order, of the searches that have hits to order."""
    internal_look: float = 0.0
    """Share of searches that a mistake of the bridge, or its model, left in first-stage order."""
    p95_ratio_look: float = 3.0
    """95th percentile of latency, as a multiple of the engine's own."""
    p95_ratio_stop: float = 20.0
    totals_look: float = 0.01
    """Share of searches for which the systems tell other totals."""
    broken_look: float = 0.05
    """Share of the log that could not be read."""
    least_searches: int = 30
    """Fewer tell little."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    word: Word
    says: str
    """What was seen, with the threshold."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether to switch, and why."""

    word: Word
    checks: tuple[Check, ...]
    """Worst first."""
    thresholds: Thresholds


def thresholds_of(settings: tuple[str, ...]) -> Thresholds:
    """Those of ``NAME=VALUE`` settings, the others as they are. Raises ``ConfigError`` with all mistakes."""
    given: dict[str, str] = {}
    problems: list[str] = []
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator or name not in Thresholds.__struct_fields__:
            problems.append(f"{setting!r} is no threshold: NAME=NUMBER, where NAME is one of {_names()}")
        given[name] = value
    if problems:
        raise ConfigError(problems)
    try:
        return msgspec.convert(given, Thresholds, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError([f"thresholds: {error}"]) from error


def _names() -> str:
    return ", ".join(Thresholds.__struct_fields__)


def judge(summary: Summary, thresholds: Thresholds | None = None) -> Verdict:
    """The verdict on a replay of an engine and a bridge before it."""
    limits = thresholds or Thresholds()
    found = [check for look in _CHECKS for check in look(summary, limits)]
    found.sort(key=lambda check: -_WORDS.index(check.word))
    return Verdict(found[0].word if found else "ready", tuple(found), limits)


def _enough(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    word: Word = "ready" if summary.searches >= limits.least_searches else "look here first"
    yield Check(word, f"{summary.searches:,} searches were sent (at least {limits.least_searches})")


def _failures(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    share = _share(summary.failed, summary)
    word: Word = "do not switch" if share > limits.failed_stop else "ready"
    yield Check(
        word, f"{summary.failed:,} more searches failed through the bridge than without ({_most(limits.failed_stop)})"
    )


def _is_a_bridge(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    del limits
    count = summary.fates.get(NO_HEADER, 0)
    if count:
        yield Check("do not switch", f"{count:,} replies had no X-Rerank header: they came from no bridge")


def _skipped(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    skipped = {fate: count for fate, count in summary.fates.items() if fate.startswith("skipped")}
    telling = {fate: count for fate, count in skipped.items() if fate not in _WITHOUT_ORDER}
    ordered = summary.searches - sum(skipped.values()) + sum(telling.values())
    share = sum(telling.values()) / ordered if ordered else 0.0
    reasons = ", ".join(f"{fate.partition(': ')[2]} {count:,}" for fate, count in list(telling.items())[:3])
    word: Word = "look here first" if share > limits.skipped_look else "ready"
    told = f"{share:.1%} of the {ordered:,} searches with hits to order were not reranked"
    yield Check(word, f"{told} ({_most(limits.skipped_look)}) {reasons}".rstrip())
    own = sum(skipped.get(f"skipped: {reason}", 0) for reason in ("internal", "model-failed"))
    if _share(own, summary) > limits.internal_look:
        yield Check("look here first", f"{own:,} searches were left alone for a mistake of the bridge or its model")


def _slower(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    before, after = (system.latency_ms.p95 for system in (summary.systems[0], summary.systems[-1]))
    if not before or not after:
        return
    ratio = after / before
    word: Word = "ready"
    if ratio > limits.p95_ratio_look:
        word = "do not switch" if ratio > limits.p95_ratio_stop else "look here first"
    yield Check(
        word,
        f"p95 latency {before:,.1f} ms -> {after:,.1f} ms, {ratio:.1f} times "
        f"(at most {limits.p95_ratio_look:g}; from {limits.p95_ratio_stop:g} on it stops)",
    )


def _totals(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    share = _share(summary.changes.other_totals, summary)
    if share > limits.totals_look:
        yield Check("look here first", f"{share:.1%} of the searches have another total ({_most(limits.totals_look)})")


def _unread(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    whole = summary.broken + summary.distinct
    share = summary.broken / whole if whole else 0.0
    if share > limits.broken_look:
        yield Check(
            "look here first", f"{share:.1%} of the log could not be read or sent ({_most(limits.broken_look)})"
        )


def _better(summary: Summary, limits: Thresholds) -> Iterator[Check]:
    del limits
    if summary.judged is None or not summary.judged.measures:
        return
    primary = summary.judged.measures[0]
    low, high = primary.interval or (0.0, 0.0)
    words: Word = "do not switch" if high < 0 else "look here first" if primary.difference < 0 else "ready"
    yield Check(
        words,
        f"{primary.measure} {primary.first:.4f} -> {primary.second:.4f} on {summary.judged.queries} judged queries "
        f"(difference {primary.difference:+.4f}, 95% interval {low:+.4f} to {high:+.4f})",
    )


def _share(count: int, summary: Summary) -> float:
    return count / summary.searches if summary.searches else 0.0


def _most(share: float) -> str:
    return f"at most {share:.1%}" if share else "none allowed"


_CHECKS: tuple[Callable[[Summary, Thresholds], Iterator[Check]], ...] = (
    _failures,
    _is_a_bridge,
    _better,
    _slower,
    _skipped,
    _totals,
    _unread,
    _enough,
)
