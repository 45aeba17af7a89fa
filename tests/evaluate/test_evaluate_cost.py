from __future__ import annotations

from bridge.evaluate.client import StageCost
from bridge.evaluate.cost import ModelCost, costs


def test_means_are_over_the_searches_that_reached_a_model() -> None:
    """A search that was passed through counts for none, one that ended early for the models that it had."""
    searches = [
        (StageCost("a", 100, 10.0), StageCost("b", 30, 200.0)),
        (),
        (StageCost("a", 50, 30.0),),
    ]
    assert costs(searches) == (ModelCost("a", 2, 75.0, 20.0), ModelCost("b", 1, 30.0, 200.0))


def test_no_reranked_search_has_no_cost() -> None:
    """Where nothing was reranked there is nothing to tell."""
    assert costs([(), ()]) == ()
