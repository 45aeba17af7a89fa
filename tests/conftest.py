"""What all tests share: one real engine of each kind for the session, started where it is first asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bridge.composition import bridging
from bridge.config_sources import load
from bridge.demo.engine import Engine, running_elasticsearch, running_opensearch, running_solr


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Engine]:
    """A real OpenSearch for the whole session: do not stop it, and give your indices names of their own."""
    with running_opensearch() as engine:
        yield engine


@pytest.fixture(scope="session")
def opensearch_url(opensearch: Engine) -> str:
    """The address of the session's OpenSearch."""
    return opensearch.url


@pytest.fixture(scope="session")
def elasticsearch9_url() -> Iterator[str]:
    """The address of the session's Elasticsearch 9.5: the server alone, without ``GET /``, painless and templates."""
    with running_elasticsearch("9.5.3") as engine:
        yield engine.url


@pytest.fixture(scope="session")
def elasticsearch7_url() -> Iterator[str]:
    """The address of the session's Elasticsearch 7.10, with all open-source modules."""
    with running_elasticsearch("7.10.2") as engine:
        yield engine.url


@pytest.fixture(scope="session")
def solr() -> Iterator[Engine]:
    """A real Solr, standalone, for the whole session: do not stop it, and give your cores names of their own."""
    with running_solr() as engine:
        yield engine


@pytest.fixture(scope="session")
def solr_url(solr: Engine) -> str:
    """The address of the session's Solr, without ``/solr``."""
    return solr.url


@pytest.fixture(scope="session")
def solr_cloud_url() -> Iterator[str]:
    """The address of the session's SolrCloud: one node with a ZooKeeper of its own."""
    with running_solr("cloud") as engine:
        yield engine.url


@pytest.fixture(scope="module")
async def bridge_url(opensearch_url: str) -> AsyncIterator[str]:
    """A bridge with the embedded model before the session's OpenSearch, for each module that asks for one."""
    flags = {"upstream": opensearch_url, "listen": "127.0.0.1:0", "score_timeout_s": 60}
    async with bridging(load(flags, None, {})) as bridge:
        yield bridge.running.url
