"""The rerank bridge: a proxy that lets a model order what a search engine finds."""
