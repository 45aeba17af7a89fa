"""OpenSearch, 1.3 to 3.x."""

from __future__ import annotations

from collections.abc import Mapping

from connectors._dialect import Dialect
from connectors._rest import RestConnector, version_of


class OpenSearch(RestConnector):
    """The connector for OpenSearch."""

    name = "opensearch"
    dialect = Dialect(has_search_pipelines=True)

    def identify(self, info: Mapping[str, object]) -> str | None:
        """The version, where ``GET /`` names the distribution ``opensearch``."""
        version = version_of(info)
        number = version.get("number")
        return number if version.get("distribution") == self.name and isinstance(number, str) else None
