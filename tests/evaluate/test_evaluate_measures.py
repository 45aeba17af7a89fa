from __future__ import annotations

from math import log2

import pytest

from bridge.errors import ConfigError
from bridge.evaluate.measures import DEFAULT_MEASURES, check_measures, measure

QRELS = {"q1": {"d1": 2, "d2": 1}, "q2": {"d9": 1}, "q3": {"d1": 0, "d3": 1}}


def test_measures_are_those_of_the_books() -> None:
    """Values agree with the definitions, worked out by hand, and follow the order of the judgments."""
    run = {"q1": ("d2", "d5", "d1"), "q2": (), "q3": ("d1", "d3")}
    values = measure(["nDCG@10", "RR@10", "R@1", "P@2"], QRELS, run)
    assert values["nDCG@10"]["q1"] == pytest.approx((1 + 2 / log2(4)) / (2 + 1 / log2(3)))
    assert values["RR@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.5}
    assert values["R@1"] == {"q1": 0.5, "q2": 0.0, "q3": 0.0}
    assert list(values["P@2"].items()) == [("q1", 0.5), ("q2", 0.0), ("q3", 0.5)]


def test_order_shown_is_the_order_measured() -> None:
    """A relevant document at rank 1, 2, ... has that rank, wherever its id stands in the alphabet."""
    for rank in range(1, 11):
        names = [f"x{number:02}" for number in range(10)]
        names[rank - 1] = "d9"
        assert measure(["RR@10"], {"q2": QRELS["q2"]}, {"q2": tuple(names)})["RR@10"]["q2"] == pytest.approx(1 / rank)


def test_two_names_of_one_measure_both_count() -> None:
    """A measure that is asked for by two of its names is given by both."""
    values = measure(["RR@10", "MRR@10"], QRELS, {"q1": ("d1",), "q2": (), "q3": ()})
    assert values["RR@10"] == values["MRR@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}


def test_default_measures_can_be_used() -> None:
    """The measures that are taken where none is named pass the check at the default depth."""
    check_measures(DEFAULT_MEASURES, 100)


def test_all_unusable_measures_are_named_at_once() -> None:
    """Every name that can't be used stands in one error, the good ones don't."""
    with pytest.raises(ConfigError) as raised:
        check_measures(["nDCG@", "nDCG@10", "precision@ten", "R@1000"], 100)
    assert [problem.split(" ")[0] for problem in raised.value.problems] == ["'nDCG@'", "'precision@ten'", "'R@1000'"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("P", "'P' is no measure; there are nDCG@10"),
        ("nDCG(foo=1)@10", "is no measure"),
        ("os.system('x')", "is no measure"),
        ("", "'' is no measure"),
        ("R@1000", "looks at 1000 hits, but searches ask for 100"),
        ("R@0", "looks at 0 hits"),
        ("alpha_nDCG@10", "a package that is not installed"),
    ],
)
def test_unusable_measure_is_a_configuration_mistake(name: str, problem: str) -> None:
    """A name that is no measure, or one that can't be had from these runs, is refused with the reason."""
    with pytest.raises(ConfigError) as raised:
        check_measures([name], 100)
    assert problem in str(raised.value)
