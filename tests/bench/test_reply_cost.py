"""The measured exchange is one that is reranked, and of the size that is said."""

from __future__ import annotations

import json

import pytest

from bridge.bench.reply_cost import HIT_BYTES, HITS, SEARCHES, Case, many_searches, measured, one_search, table


@pytest.mark.parametrize("case", [one_search(), many_searches()], ids=["one", "many"])
def test_each_step_is_measured(case: Case) -> None:
    """One round gives a time for planning, parsing, splicing and the reference, and their sum is of the first three."""
    (cost,) = measured(case._replace(rounds=1))
    assert min(cost) > 0
    assert cost.together == pytest.approx(cost.plan + cost.parse + cost.splice)


def test_hits_have_the_size_that_is_said() -> None:
    """A hundred hits of two kilobytes in each reply."""
    one, many = json.loads(one_search().reply.body), json.loads(many_searches().reply.body)
    sizes = {len(json.dumps(hit, separators=(",", ":"))) for hit in one["hits"]["hits"]}
    assert (len(one["hits"]["hits"]), sizes) == (HITS, {HIT_BYTES})
    assert [len(response["hits"]["hits"]) for response in many["responses"]] == [HITS] * SEARCHES


def test_the_table_has_a_row_for_each_request() -> None:
    """A search alone and many in one request."""
    cases = [case._replace(rounds=2) for case in (one_search(), many_searches())]
    assert list(table(cases).columns[0].cells) == ["_search", "_msearch of 50"]
