"""An index of User Behavior Insights as a file of lines, read from the engine by a scroll, in the order of time.

To a file first, so that the replay measures searches alone, and reads a log as it reads any other. Source: "Scroll
API", OpenSearch 1 to 3 and Elasticsearch 7 to 9 manuals.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec

from bridge.errors import UpstreamError
from bridge.replay.http_client import Connection, HttpReply

PAGE = 1_000
_OK = 200
_KEEP = "2m"
_JSON = "application/json"
_ORDER = [{"timestamp": {"order": "asc", "unmapped_type": "date"}}]


class _Hits(msgspec.Struct):
    hits: list[msgspec.Raw]


class _Page(msgspec.Struct):
    hits: _Hits
    scroll_id: str = msgspec.field(name="_scroll_id", default="")


_PAGE = msgspec.json.Decoder(_Page)


async def export(connection: Connection, index: str, file: Path, on_progress: Callable[[int], None]) -> int:
    """Writes each document of an index as a line, gzipped, and gives their number. Raises ``UpstreamError``."""
    body = msgspec.json.encode({"size": PAGE, "sort": _ORDER})
    page = _read(await connection.send("POST", f"/{index}/_search?scroll={_KEEP}", body, _JSON), index)
    count = 0
    with gzip.open(file, "wb", compresslevel=1) as lines:
        while page.hits.hits:
            for hit in page.hits.hits:
                lines.write(bytes(hit).replace(b"\n", b" ") + b"\n")
            count += len(page.hits.hits)
            on_progress(count)
            body = msgspec.json.encode({"scroll": _KEEP, "scroll_id": page.scroll_id})
            page = _read(await connection.send("POST", "/_search/scroll", body, _JSON), index)
    await connection.send("DELETE", "/_search/scroll", msgspec.json.encode({"scroll_id": [page.scroll_id]}), _JSON)
    return count


def _read(reply: HttpReply, index: str) -> _Page:
    if reply.status != _OK:
        raise UpstreamError(502, f"the index {index} can't be read: it was answered {reply.status}")
    try:
        return _PAGE.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UpstreamError(502, f"the index {index} was answered by no engine") from error
