"""What all tests share: one real engine for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.demo.engine import Engine, running_opensearch


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Engine]:
    """A real OpenSearch for the whole session: do not stop it, and give your indices names of their own."""
    with running_opensearch() as engine:
        yield engine


@pytest.fixture(scope="session")
def opensearch_url(opensearch: Engine) -> str:
    """The address of the session's OpenSearch."""
    return opensearch.url
