"""Elasticsearch, 7.17 to 9.x."""

from __future__ import annotations

from collections.abc import Mapping

from connectors._dialect import Dialect
from connectors._rest import RestConnector, version_of


class Elasticsearch(RestConnector):
    """The connector for Elasticsearch."""

    name = "elasticsearch"
    dialect = Dialect()

    def identify(self, info: Mapping[str, object]) -> str | None:
        """The version, where ``GET /`` has a version without the name of another distribution."""
        version = version_of(info)
        number = version.get("number")
        return number if "distribution" not in version and isinstance(number, str) else None
