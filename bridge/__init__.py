"""The rerank bridge: a proxy that lets a model order what a search engine finds.

Its models can be used without it::

    from bridge import load_model

    reranker = load_model("mixedbread-ai/mxbai-rerank-base-v2")
    for result in reranker.rank("how do I sort a list?", documents, top_k=3):
        print(result.score, result.document)
"""

from bridge.ranker import Ranked, Reranker, load_model

__all__ = ["Ranked", "Reranker", "load_model"]
