"""What the id of a search that runs on its own carries, so that its hits can be ordered later and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import msgspec

from connectors._sealed import Sealer
from connectors._widening import Restore
from connectors.base import PolicyOf, Request, SearchPlan, TextField


class Ticket(msgspec.Struct, array_like=True, frozen=True):
    """The engine's own id, and what was meant by the search."""

    engine_id: str
    query_text: str
    text_fields: tuple[TextField, ...]
    start: int
    size: int
    window: int
    indices: tuple[str, ...]
    """By which the policy is found that holds when the hits are asked for."""
    instruction: str | None
    """What this search alone wanted of a model; None: what the policy says."""
    has_boosts: bool
    restore: Restore

    def search(self, request: Request, policy_of: PolicyOf) -> SearchPlan:
        """The search as it was planned; ``request`` asks for its hits."""
        policy = replace(policy_of(self.indices), window=self.window)
        return SearchPlan(
            request=request,
            query_text=self.query_text,
            text_fields=self.text_fields,
            start=self.start,
            size=self.size,
            policy=policy if self.instruction is None else replace(policy, instruction=self.instruction),
            indices=self.indices,
            has_boosts=self.has_boosts,
            restore=self.restore,
        )


class Tickets:
    """Tickets as ids, signed with one key."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def sealed(self, search: SearchPlan, instruction: str | None, engine_id: str) -> str:
        """The client's id for a search to which the engine gave this one."""
        ticket = Ticket(
            engine_id=engine_id,
            query_text=search.query_text,
            text_fields=search.text_fields,
            start=search.start,
            size=search.size,
            window=search.policy.window,
            indices=search.indices,
            instruction=instruction,
            has_boosts=search.has_boosts,
            restore=cast("Restore", search.restore),  # the connector's own notes
        )
        return self._sealer.seal(msgspec.msgpack.encode(ticket))

    def of(self, named: Sequence[str]) -> Ticket | None:
        """What the last segment of a path carries, where it is an id of ours."""
        content = self._sealer.opened(named[-1]) if named else None
        try:
            return None if content is None else msgspec.msgpack.decode(content, type=Ticket)
        except (msgspec.DecodeError, UnicodeDecodeError):  # of another version of the bridge
            return None
