"""What differs between the engines that share the search API, as far as planning a search is concerned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a planner has to know of the engine."""

    has_search_pipelines: bool = False
    """Whether hits may pass through processors that are named by the search or by its index."""
