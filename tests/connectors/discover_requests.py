"""What Discover of OpenSearch Dashboards and of Kibana send to their engines, written after their sources.

OpenSearch Dashboards 2 and 3: the browser posts to ``/internal/search/opensearch``, and the server sends ``_search``
with the parameters of ``src/plugins/data/server/search/opensearch_search/get_default_search_params.ts``
(``opensearch_search_strategy.ts``; ``routes/call_msearch.ts`` sends ``_msearch`` where ``courier:batchSearches`` is
set). The body is ``flatten`` of ``src/plugins/data/common/search/search_source/search_source.ts``, the query
``buildOpenSearchQuery`` and ``kuery/functions`` of ``src/plugins/data/common/opensearch_query``, the sort
``src/plugins/discover/public/application/view_components/utils/get_sort_for_search_source.ts``.

Kibana 8: the browser posts to ``/internal/search/ese``, and the server sends ``_async_search`` with the parameters of
``src/plugins/data/server/search/strategies/ese_search/request_utils.ts``. The body is ``flatten`` of its
``search_source.ts``, which puts filters into ``must`` where the sort is by ``_score``, with the fields and the sort of
``src/plugins/discover/public/application/main/data_fetching/update_search_source.ts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DASHBOARDS_PARAMETERS = "?ignore_unavailable=true&track_total_hits=true&timeout=30000ms&preference=1764089000000"
KIBANA_PARAMETERS = (
    "?batched_reduce_size=64&ccs_minimize_roundtrips=true&wait_for_completion_timeout=200ms&keep_on_completion=false"
    "&keep_alive=60000ms&ignore_unavailable=true&preference=1764089000000"
)

TIMES = {"gte": "2026-11-01T00:00:00.000Z", "lte": "2026-11-30T23:59:59.999Z", "format": "strict_date_optional_time"}
PERIOD: dict[str, Any] = {"range": {"@timestamp": TIMES}}
BY_TIME: list[Any] = [{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}]
BY_TIME_IN_KIBANA: list[Any] = [
    {"@timestamp": {"order": "desc", "format": "strict_date_optional_time", "unmapped_type": "boolean"}},
    {"_doc": {"order": "desc", "unmapped_type": "boolean"}},
]
BY_SCORE: list[Any] = [{"_score": {"order": "desc"}}]

KQL_WORDS: dict[str, Any] = {
    "multi_match": {"type": "best_fields", "query": "payment gateway timeout", "lenient": True}
}
KQL_PHRASE: dict[str, Any] = {"multi_match": {"type": "phrase", "query": "connection refused", "lenient": True}}
KQL_FIELD: dict[str, Any] = {"bool": {"should": [{"match": {"message": "payment timeout"}}], "minimum_should_match": 1}}
KQL_LEVEL: dict[str, Any] = {"bool": {"should": [{"match": {"level": "error"}}], "minimum_should_match": 1}}
KQL_NESTED: dict[str, Any] = {
    "nested": {
        "path": "causes",
        "query": {"bool": {"should": [{"match": {"causes.text": "slow bank"}}], "minimum_should_match": 1}},
        "score_mode": "none",
    }
}
LUCENE: dict[str, Any] = {
    "query_string": {"query": "message:(payment timeout) AND NOT level:info", "analyze_wildcard": True}
}
PILL: dict[str, Any] = {"match_phrase": {"host.name": "checkout-3.example"}}
PILLS: dict[str, Any] = {
    "bool": {"should": [{"match_phrase": {"level": "error"}}, {"match_phrase": {"level": "warn"}}],
             "minimum_should_match": 1}
}  # fmt: skip


def query(*filters: Any, must: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> dict[str, Any]:
    """The ``bool`` that both build, all of its parts written."""
    return {"bool": {"must": [*must], "filter": [*filters], "should": [], "must_not": [*must_not]}}


def all_of(*clauses: Any) -> dict[str, Any]:
    """``and`` in KQL."""
    return {"bool": {"filter": [*clauses]}}


def dashboards(asked: dict[str, Any], sort: list[Any] | None = None, **members: Any) -> dict[str, Any]:
    """The body of OpenSearch Dashboards for its table of documents."""
    return {
        "sort": BY_TIME if sort is None else sort,
        "size": 500,
        "version": True,
        "stored_fields": ["*"],
        "script_fields": {},
        "docvalue_fields": [{"field": "@timestamp", "format": "date_time"}],
        "_source": {"excludes": []},
        "query": asked,
        "highlight": {
            "pre_tags": ["@opensearch-dashboards-highlighted-field@"],
            "post_tags": ["@/opensearch-dashboards-highlighted-field@"],
            "fields": {"*": {}},
            "fragment_size": 2147483647,
        },
        **members,
    }


def kibana(asked: dict[str, Any], sort: list[Any] | None = None, **members: Any) -> dict[str, Any]:
    """The body of Kibana for its table of documents."""
    return {
        "sort": BY_TIME_IN_KIBANA if sort is None else sort,
        "track_total_hits": True,
        "fields": [
            {"field": "*", "include_unmapped": True},
            {"field": "@timestamp", "format": "strict_date_optional_time"},
        ],
        "size": 500,
        "version": True,
        "script_fields": {},
        "stored_fields": ["*"],
        "runtime_mappings": {},
        "_source": False,
        "query": asked,
        "highlight": {
            "pre_tags": ["@kibana-highlighted-field@"],
            "post_tags": ["@/kibana-highlighted-field@"],
            "fields": {"*": {}},
            "fragment_size": 2147483647,
        },
        **members,
    }


HISTOGRAM: dict[str, Any] = {
    "2": {
        "date_histogram": {
            "field": "@timestamp", "fixed_interval": "12h", "time_zone": "Europe/Berlin", "min_doc_count": 1,
        }
    }
}  # fmt: skip
"""What Dashboards asks for with its table, above which it draws the chart."""
