"""elasticsearch-py 7.13 at work. Run with its overlay on PYTHONPATH: addresses in, what it found out, in JSON.

The arguments are the addresses of the engine, of the bridge, and one where nothing listens. The answer is what the
client got directly and through the bridge, and which addresses it knew after sniffing.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from tests.clients.stories import COUNT, MAPPINGS, actions, body

elasticsearch: Any = import_module("elasticsearch")  # only the overlay has this version of it
helpers: Any = import_module("elasticsearch.helpers")
INDEX = "elasticsearch-py-7"


class Noting(elasticsearch.Urllib3HttpConnection):  # type: ignore[misc] # as above
    """The client's own connection, which also notes what each reply says of reranking."""

    outcomes: list[str]

    def perform_request(self, *args: Any, **kwargs: Any) -> Any:
        reply = super().perform_request(*args, **kwargs)
        if "x-rerank" in reply[1]:
            self.outcomes.append(reply[1]["x-rerank"])
        return reply


def client_of(*urls: str, **options: Any) -> tuple[Any, list[str]]:
    outcomes: list[str] = []
    noting = type("Connection", (Noting,), {"outcomes": outcomes})
    return elasticsearch.Elasticsearch(list(urls), connection_class=noting, http_compress=True, **options), outcomes


def found(url: str, name: str) -> dict[str, Any]:
    client, outcomes = client_of(url)
    client.indices.create(index=name, body={"settings": {"number_of_shards": 2}, "mappings": MAPPINGS})
    loaded = [
        helpers.bulk(client, actions(name), refresh=True)[0],
        sum(ok for ok, _ in helpers.streaming_bulk(client, actions(name, 30), refresh=True)),
        sum(ok for ok, _ in helpers.parallel_bulk(client, actions(name), thread_count=3, chunk_size=9, refresh=True)),
    ]
    helpers.reindex(client, name, f"{name}-copy", chunk_size=11, scan_kwargs={"size": 13})
    client.indices.refresh(index=f"{name}-copy")
    return {
        "loaded": loaded,
        "search": client.search(index=name, body=body(size=COUNT)),
        "pages": [client.search(index=name, body=body(), from_=start, size=10) for start in range(0, COUNT, 10)],
        "several": client.msearch(index=name, body=[{}, body("a puppy story"), {}, body(sort="number")])["responses"],
        "copied": {hit["_id"]: hit["_source"] for hit in helpers.scan(client, index=f"{name}-copy", size=7)},
        "errors": helpers.bulk(client, [{"_index": name, "_id": "x", "number": "no"}], raise_on_error=False),
        "outcomes": outcomes,
    }


def known(*urls: str, **options: Any) -> list[str]:
    client, outcomes = client_of(*urls, randomize_hosts=False, **options)
    client.search(index=INDEX, body=body())
    return [*sorted({connection.host for connection in client.transport.connection_pool.connections}), *outcomes]


def main(engine_url: str, bridge_url: str, dead_url: str) -> None:
    answers = {
        "direct": found(engine_url, f"{INDEX}-direct"),
        "bridged": found(bridge_url, INDEX),
        "at start": known(bridge_url, sniff_on_start=True),
        "on failure": known(dead_url, bridge_url, sniff_on_connection_fail=True),
    }
    client_of(engine_url)[0].indices.delete(index=f"{INDEX}*")
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
