"""LangChain's Elasticsearch integration at work. Run with its overlay on PYTHONPATH: addresses in, findings out.

The arguments are the addresses of the engine and of the bridge. The answer is, for each, what each way to search found:
documents, scores, and what the replies said of reranking. The stories are written through the bridge.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tests.clients.stories import COUNT, WORDS, body, outcome, story

elasticsearch: Any = import_module("elasticsearch")  # only the overlay has this version of it, and these packages
transport: Any = import_module("elastic_transport")
langchain: Any = import_module("langchain_elasticsearch")
embeddings: Any = import_module("langchain_core.embeddings")
BM25, HYBRID = "langchain-bm25", "langchain-hybrid"


class Letters(embeddings.Embeddings):  # type: ignore[misc] # as above
    """How often each letter stands in a text: enough to tell texts apart."""

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(text.count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def noting(base: Any, outcomes: list[str | None]) -> Any:
    """A node of the client's, which also notes what each reply to a search says of reranking."""

    class Noting(base):  # type: ignore[misc] # as above
        def perform_request(self, method: str, target: str, *args: Any, **kwargs: Any) -> Any:
            reply = super().perform_request(method, target, *args, **kwargs)
            if "/_search" in target:
                outcomes.append(outcome(reply.meta.headers))
            return reply

    return Noting


def told(documents: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"text": one.page_content, "metadata": one.metadata} for one in documents]


def stores(client: Any) -> dict[str, Any]:
    strategies = {
        "bm25": (BM25, langchain.BM25Strategy(), None),
        "hybrid": (HYBRID, langchain.DenseVectorStrategy(hybrid=True, rrf=False), Letters()),
        "vectors": (HYBRID, langchain.DenseVectorStrategy(), Letters()),
    }
    return {
        name: langchain.ElasticsearchStore(index, client=client, strategy=strategy, embedding=embedding)
        for name, (index, strategy, embedding) in strategies.items()
    }


def found(url: str) -> dict[str, Any]:
    outcomes: list[str | None] = []
    client = elasticsearch.Elasticsearch(url, node_class=noting(transport.Urllib3HttpNode, outcomes))
    results = {name: told(store.similarity_search(WORDS, k=10)) for name, store in stores(client).items()}
    few = [{"range": {"metadata.number": {"lt": 20}}}]
    results["filtered"] = told(stores(client)["bm25"].similarity_search(WORDS, k=10, filter=few))
    scored = stores(client)["bm25"].similarity_search_with_score(WORDS, k=10)
    retriever = langchain.ElasticsearchRetriever(
        index_name=BM25, body_func=lambda words: body(words, size=COUNT), content_field="text", client=client
    )
    results["retriever"] = told(retriever.invoke(WORDS))
    return {"results": results, "scores": [score for _, score in scored], "outcomes": outcomes}


async def found_async(url: str) -> list[str]:
    async with elasticsearch.AsyncElasticsearch(url) as client:
        strategy = langchain.AsyncBM25Strategy()
        store = langchain.AsyncElasticsearchStore(BM25, client=client, strategy=strategy)
        return [one.page_content for one in await store.as_retriever(search_kwargs={"k": 10}).ainvoke(WORDS)]


def main(engine_url: str, bridge_url: str) -> None:
    texts = [story(number) for number in range(COUNT)]
    written = stores(elasticsearch.Elasticsearch(bridge_url))
    for name in ("bm25", "hybrid"):
        written[name].add_texts([one["text"] for one in texts], [{"number": one["number"]} for one in texts])
    answers = {"direct": found(engine_url), "bridged": found(bridge_url), "async": asyncio.run(found_async(bridge_url))}
    elasticsearch.Elasticsearch(engine_url).indices.delete(index=[BM25, HYBRID])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
