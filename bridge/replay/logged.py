"""One search of a log, in whatever form the log has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """A search as a client sent it."""

    place: str
    """Where it stands: file and line."""
    method: str
    target: str
    """Path and query string, percent-encoded."""
    body: bytes
    content_type: str = "application/json"
    at_s: float | None = None
    """When it was sent, in seconds since 1970; None where the log does not say."""
    query_text: str = ""
    """The user's words, where the log has them apart from the body."""
    query_id: str = ""
    """What events and judgments know it by; empty where the log has no such name."""
    weight: int = 1
    """How many equal searches it stands for."""

    @property
    def key(self) -> str:
        """The same for equal searches, in every run."""
        digest = blake2b(digest_size=12)
        for part in (self.method.encode(), self.target.encode(), self.body):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Broken:
    """A place of a log that could not be read as a search."""

    place: str
    problem: str
    """In words that quote nothing of the log."""


Entries = Iterator[LoggedSearch | Broken]
"""What a log holds, one entry in memory at a time."""
