from __future__ import annotations

import random
from math import log2

import ir_measures
import pytest
import pytrec_eval
from ir_measures import ScoredDoc

from bridge.errors import ConfigError
from bridge.evaluate.measures import DEFAULT_MEASURES, _parsed, check_measures, measure

QRELS = {"q1": {"d1": 2, "d2": 1}, "q2": {"d9": 1}, "q3": {"d1": 0, "d3": 1}}


def test_measures_are_those_of_the_books() -> None:
    """Values agree with the definitions, worked out by hand, and follow the order of the judgments."""
    run = {"q1": ("d2", "d5", "d1"), "q2": (), "q3": ("d1", "d3")}
    values = measure(["nDCG@10", "RR@10", "R@1", "P@2"], QRELS, run)
    assert values["nDCG@10"]["q1"] == pytest.approx((1 + 2 / log2(4)) / (2 + 1 / log2(3)), abs=1e-9)
    assert values["RR@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.5}
    assert values["R@1"] == {"q1": 0.5, "q2": 0.0, "q3": 0.0}
    assert list(values["P@2"].items()) == [("q1", 0.5), ("q2", 0.0), ("q3", 0.5)]


ALL = (
    "nDCG@10", "nDCG(gains={0: 0, 1: 1, 2: 3, 3: 7})@5", "nDCG(dcg='exp-log2')@10", "nDCG", "ERR@10", "RR", "RR@5",
    "RR(rel=2)@10", "R@20", "R(rel=2)@20", "P@5", "P(rel=2)@10", "AP", "AP(rel=2)@20", "Bpref", "infAP", "Rprec",
    "Success@1", "Judged@10", "IPrec@0.2", "SetF", "NumRet", "NumRel", "Compat(p=0.9)", "RBP(rel=1)",
    "SDCG(max_rel=3)@10", "INST(max_rel=3)", "BPM(max_rel=3)@10", "NERR8(max_rel=3)@10",
)  # fmt: skip


@pytest.fixture(scope="module")
def many() -> tuple[dict[str, dict[str, int]], dict[str, tuple[str, ...]]]:
    """Forty queries with judgments and hits by chance, some without hits."""
    chance = random.Random(7)
    names = [f"d{number}" for number in range(60)]
    qrels = {str(query): {name: chance.randrange(4) for name in chance.sample(names, 25)} for query in range(40)}
    run = {query_id: tuple(chance.sample(names, chance.choice([0, 3, 30]))) for query_id in qrels}
    return qrels, run


@pytest.mark.parametrize("name", ALL)
def test_measures_are_those_of_ir_measures(
    name: str, many: tuple[dict[str, dict[str, int]], dict[str, tuple[str, ...]]]
) -> None:
    """Every query has the value that ir-measures gives by itself, to a billionth; the order of hits is the run's."""
    qrels, run = many
    scored = [ScoredDoc(query, hit, 1000.0 - place) for query, hits in run.items() for place, hit in enumerate(hits)]
    expected = {one.query_id: one.value for one in ir_measures.iter_calc([_parsed(name)], qrels, scored)}
    check_measures([name], 100)
    assert measure([name], qrels, run)[name] == pytest.approx(expected, abs=1e-9)


def test_measures_are_those_of_trec_eval(
    many: tuple[dict[str, dict[str, int]], dict[str, tuple[str, ...]]],
) -> None:
    """nDCG, reciprocal rank, average precision and recall are trec_eval's own, to a billionth."""
    qrels, run = many
    scored = {query: {hit: 1000.0 - place for place, hit in enumerate(hits)} for query, hits in run.items() if hits}
    names = {"nDCG@10": "ndcg_cut_10", "RR": "recip_rank", "AP": "map", "R@20": "recall_20"}
    said = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recip_rank", "map", "recall.20"}).evaluate(scored)
    values = measure(list(names), qrels, run)
    for name, own in names.items():
        expected = {query: said[query][own] if query in said else 0.0 for query in qrels}
        assert values[name] == pytest.approx(expected, abs=1e-9)


def test_queries_may_have_any_names() -> None:
    """A measure whose program knows queries by numbers alone is computed for queries with names."""
    assert measure(["ERR@10"], {"red shoes": {"d 1": 4}}, {"red shoes": ("d 1",)})["ERR@10"] == {"red shoes": 0.9375}


def test_judgments_that_a_measure_can_not_read_are_told() -> None:
    """ERR knows grades up to 4: with others it says so, and leaves no traceback of a program."""
    with pytest.raises(ConfigError, match=r"ERR@10: gdeval, which computes ERR, can't: grades above 4\?"):
        measure(["ERR@10"], {"q": {"d": 5}}, {"q": ("d",)})


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
        ("P", "'P' is no measure: it needs cutoff"),
        ("SDCG@10", "'SDCG@10' is no measure: it needs max_rel"),
        ("nDCG(foo=1)@10", "is no measure: unsupported params found: ['foo']"),
        ("os.system('x')", "is no measure"),
        ("nDGC@10", "'nDGC@10' is no measure; there are nDCG@10"),
        ("", "'' is no measure"),
        ("R@1000", "looks at 1000 hits, but searches ask for 100"),
        ("R@0", "looks at 0 hits"),
        ("alpha_nDCG@10", "a package or a parameter that is not there"),
        ("Accuracy@10", "has no value for some queries"),
    ],
)
def test_unusable_measure_is_a_configuration_mistake(name: str, problem: str) -> None:
    """A name that is no measure, or one that can't be had from these runs, is refused with the reason."""
    with pytest.raises(ConfigError) as raised:
        check_measures([name], 100)
    assert problem in str(raised.value)
