"""What may be sent again: requests that read and no more."""

from __future__ import annotations

from connectors.elasticsearch import Elasticsearch
from connectors.opensearch import OpenSearch

_SEARCHES = (OpenSearch(), Elasticsearch())
_METHODS = frozenset({"GET", "POST"})


def is_search(method: str, path: str) -> bool:
    """Whether a request is a search to one of the connectors, by a method that no search writes with."""
    return method in _METHODS and any(connector.is_search(method, path) for connector in _SEARCHES)
