from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from aiohttp import web

from bridge.errors import DataError, UpstreamError
from bridge.evaluate.client import open_client
from bridge.evaluate.dataset import read_judgments
from bridge.evaluate.formats.base import Judged
from bridge.evaluate.judged import read_judged, rendered
from tests.evaluate.conftest import Serve

TREC_QRELS = "7 0 d1 2\n7 0 d2 0\n8 0 d3 1\n9 0 d3 1\n"
TOPICS = """\
<top>
<num> Number: 7
<title> red shoes
<desc> Description: shoes that are red
</top>

<top>
<num> Number: 8
<title> Topic: hats &amp; caps
</top>
"""
RED_SHOES = {"7": {"d1": 2, "d2": 0}, "8": {"d3": 1}}


def written(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    file.write_text(content)
    return file


def judged(file: Path, qrels: Path | None = None) -> Judged:
    return read_judged(file, qrels)[0]


LISTS = {
    "TREC topics": TOPICS,
    "ids and queries": "7\tred shoes\n8\thats & caps\n",
    "table of queries": "query_id,query\n7,red shoes\n8,hats & caps\n",
    "queries of BEIR": '{"_id": "7", "text": "red shoes"}\n{"_id": "8", "text": "hats & caps"}\n',
}


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_queries_with_judgments_of_trec(tmp_path: Path, content: str) -> None:
    """A file of queries in any form is joined with a file of judgments, and queries that are missing are said."""
    found = judged(written(tmp_path, "queries", content), written(tmp_path, "qrels.txt", TREC_QRELS))
    assert found.queries == {"7": "red shoes", "8": "hats & caps"}
    assert found.qrels == RED_SHOES
    assert found.notes == ("judged queries are not among the queries; they are left out (1)",)


def test_folder_without_documents_is_read(folder: Path) -> None:
    """A folder in BEIR format needs no corpus, where the index is there already."""
    (folder / "corpus.jsonl").unlink()
    found, dataset = read_judged(folder)
    assert dataset is None
    assert found.queries == {"q1": "sweet apples", "q2": "sweet pears"}
    assert found.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}


def test_folder_in_beir_format_brings_its_documents(folder: Path) -> None:
    """A whole folder can be loaded into an index; other judgments can be named for it."""
    found, dataset = read_judged(folder)
    assert dataset is not None
    assert (dataset.document_count, found.queries) == (3, dataset.queries)
    other = written(folder, "other.tsv", "q3\td3\t1\n")
    assert read_judged(folder, other)[0].queries == {"q3": "nobody judged this"}


TABLES = {
    "Quepid, basic": "query,docid,rating\nred shoes,d1,2\nred shoes,d2,0\nhats,d3,1\ncaps,,\n",
    "Quepid, in detail": (
        "Team Name,Case Name,Case ID,Query Text,Doc ID,Title,Rating\r\n"
        '"A, B",Shop,3,red shoes,d1,"Shoes,\nred",2\r\nA,Shop,3,red shoes,d2,Blue,0.0\r\n'
        "A,Shop,3,hats,d3,Hat,1\r\nA,Shop,3,hats,d4,Cap,\r\n"
    ),
    "tabs": "grade\tdocument\tquery\n2\td1\tred  shoes\n0\td2\tred shoes\n\n1\td3\thats\n1\t\thats\n",
    "semicolons, marked as UTF-8": "\ufeffquery;doc;label\nred shoes;d1;2\nred shoes;d2;0\nhats;d3;1\nhats;d5;\n",
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES)
def test_tables_of_judgments(tmp_path: Path, content: str) -> None:
    """A table under a header is read whatever separates its cells; what nobody rated is passed over and counted."""
    found = judged(written(tmp_path, "ratings.csv", content))
    assert found.queries == {"1": "red shoes", "2": "hats"}
    assert found.qrels == {"1": {"d1": 2, "d2": 0}, "2": {"d3": 1}}
    assert found.notes == ("rows without a document or a rating were passed over (1)",)


def test_table_names_its_queries(tmp_path: Path) -> None:
    """Ids of queries are kept where a table has them; it may be packed."""
    content = b"query_id,query,product_id,relevance\nq-a,shoes,d1,1\nq-b,hats,d1,3\nq-a,shoes,d1,1\n"
    file = tmp_path / "ratings.csv.gz"
    file.write_bytes(gzip.compress(content))
    found = judged(file)
    assert found.queries == {"q-a": "shoes", "q-b": "hats"}
    assert found.qrels == {"q-a": {"d1": 1}, "q-b": {"d1": 3}}


RATINGS = {"red shoes": {"d1": 2, "d2": 0}, "hats": {"d3": 1}}
QUEPID: dict[str, object] = {
    "ratings": {"queries": [{"query": words, "ratings": ratings} for words, ratings in {**RATINGS, "x": {}}.items()]},
    "case": {
        "case_name": "Shop",
        "queries": [
            {"arranged_at": 1, "query_text": words, "options": {}, "notes": None, "ratings": ratings}
            for words, ratings in {**RATINGS, "x": {"d1": None}}.items()
        ],
        "try": {"query_params": '{"query": {"match": {"title": "#$query##"}}}'},
    },
    "old case": {
        "queries": [
            {"query_text": words, "ratings": [{"doc_id": key, "rating": rating} for key, rating in ratings.items()]}
            for words, ratings in {**RATINGS, "x": {}}.items()
        ]
    },
    "RRE": {
        "id_field": "id",
        "index": "Shop",
        "template": "template.json",
        "queries": [
            {"placeholders": {"$query": "red shoes"}, "relevant_documents": {"0.0": ["d2"], "2.0": ["d1"]}},
            {"placeholders": {"$query": "hats"}, "relevant_documents": {"d3": {"gain": 1.0}}},
            {"placeholders": {"$query": "x"}, "relevant_documents": {}},
        ],
    },
}


@pytest.mark.parametrize("content", QUEPID.values(), ids=QUEPID)
def test_exports_of_quepid(tmp_path: Path, content: object) -> None:
    """Ratings and cases as Quepid exports them in JSON, and for RRE, give queries by number."""
    found = judged(written(tmp_path, "case.json", json.dumps(content)))
    assert found.queries == {"1": "red shoes", "2": "hats"}
    assert found.qrels == {"1": {"d1": 2, "d2": 0}, "2": {"d3": 1}}
    assert found.notes == ("queries without a rating were left out (1)",)


def test_export_of_quepid_for_learning_to_rank(tmp_path: Path) -> None:
    """Its lines hold the query behind the document; features are no matter."""
    lines = "2 qid:40 # d1 red shoes\n\n0.0 qid:40 1:0.5 2:7 # d2 red shoes\n1\tqid:41 # d3 hats\n"
    found = judged(written(tmp_path, "ltr.txt", lines))
    assert found.queries == {"40": "red shoes", "41": "hats"}
    assert found.qrels == {"40": {"d1": 2, "d2": 0}, "41": {"d3": 1}}


def spec(**members: object) -> str:
    body = {"query": {"match": {"title": "shoes"}}}
    rated = [{"_index": "shop", "_id": "d1", "rating": 2}, {"_index": "shop", "_id": "d2", "rating": 0}]
    return json.dumps({"requests": [{"id": "shoes", "request": body, "ratings": rated}], **members}, indent=1)


def test_rank_eval_requests(tmp_path: Path) -> None:
    """Each request keeps its own search body; the index and the metric are read from the file."""
    found = judged(written(tmp_path, "shop.json", spec(metric={"precision": {"k": 5}})))
    assert found.bodies == {"shoes": {"query": {"match": {"title": "shoes"}}}}
    assert (found.queries, found.qrels) == ({"shoes": "shoes"}, {"shoes": {"d1": 2, "d2": 0}})
    assert (found.measures, found.index, found.notes) == (("P@5",), "shop", ())


GAINS = "{0: 0, 1: 1, 2: 3}"
METRICS: dict[str, tuple[dict[str, object], str]] = {
    "precision": ({}, "P@10"),
    "precision above": ({"k": 3, "relevant_rating_threshold": 2}, "P(rel=2)@3"),
    "precision of the judged": ({"ignore_unlabeled": True}, ""),
    "recall": ({"k": 20}, "R@20"),
    "mean_reciprocal_rank": ({"relevant_rating_threshold": 2}, "RR(rel=2)@10"),
    "mean_reciprocal_rank of all": ({"relevant_rating_threshold": 0}, ""),
    "dcg": ({"normalize": True, "k": 5}, f"nDCG(gains={GAINS})@5"),
    "dcg with guesses": ({"normalize": True, "unknown_doc_rating": 1}, ""),
    "expected_reciprocal_rank": ({"maximum_relevance": 4}, "ERR@10"),
    "expected_reciprocal_rank to 3": ({"maximum_relevance": 3}, ""),
    "of_tomorrow": ({"k": 3}, ""),
}


@pytest.mark.parametrize(
    ("name", "parameters", "measure"), [(name, *rest) for name, rest in METRICS.items()], ids=METRICS
)
def test_metrics_of_rank_eval(tmp_path: Path, name: str, parameters: dict[str, object], measure: str) -> None:
    """A metric that ir-measures computes alike is that measure; of another one it is said that it is not taken."""
    metric = {name.split(" ", maxsplit=1)[0]: parameters}
    found = judged(written(tmp_path, "shop.json", spec(metric=metric)))
    assert found.measures == ((measure,) if measure else ())
    assert [note for note in found.notes if "is none of ir-measures" in note] == list(found.notes)
    assert len(found.notes) == (not measure)


def test_dcg_that_is_not_normalised_is_said(tmp_path: Path) -> None:
    """ir-measures has the normalised form alone, which is taken and said."""
    found = judged(written(tmp_path, "shop.json", spec(metric={"dcg": {}})))
    assert found.measures == (f"nDCG(gains={GAINS})@10",)
    assert found.notes == ("the metric dcg is measured in its normalised form",)


async def test_templates_are_rendered_by_the_engine(tmp_path: Path, serve: Serve) -> None:
    """What the engine makes of a template and its parameters is searched, be the template in the file or stored."""
    seen: list[object] = []

    async def render(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        return web.json_response({"template_output": {"query": {"term": {"n": len(seen)}}}})

    rated = [{"_index": "shop", "_id": "d1", "rating": 1}]
    content = {
        "templates": [
            {"id": "inline", "template": {"source": '{"query": {{#toJson}}q{{/toJson}}}'}},
            {"id": "kept", "template": {"id": "shop-search"}},
        ],
        "requests": [
            {"id": "a", "template_id": "inline", "params": {"q": 1}, "ratings": rated},
            {"id": "b", "template_id": "kept", "params": {"q": 2}, "ratings": rated},
        ],
    }
    found = judged(written(tmp_path, "shop.json", json.dumps(content)))
    async with open_client(await serve(render)) as client:
        whole = await rendered(found, client)
    assert seen == [
        ("/_render/template", {"source": '{"query": {{#toJson}}q{{/toJson}}}', "params": {"q": 1}}),
        ("/_render/template", {"id": "shop-search", "params": {"q": 2}}),
    ]
    assert whole.bodies == {"a": {"query": {"term": {"n": 1}}}, "b": {"query": {"term": {"n": 2}}}}
    assert (whole.qrels, whole.renderings) == (found.qrels, {})


async def test_template_that_the_engine_refuses_is_named(tmp_path: Path, serve: Serve) -> None:
    """An engine that can't make a search of a template is told with the query."""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": {"type": "general_script_exception", "reason": "Failed"}}, status=400)

    content = {
        "templates": [{"id": "t", "template": {"source": "{"}}],
        "requests": [{"id": "a", "template_id": "t", "ratings": [{"_id": "d1", "rating": 1}]}],
    }
    found = judged(written(tmp_path, "shop.json", json.dumps(content)))
    async with open_client(await serve(refuse)) as client:
        with pytest.raises(UpstreamError, match=r"the template of query 'a' .* was answered 400: general_script"):
            await rendered(found, client)


BROKEN: dict[str, tuple[str, str, str]] = {
    "table without a query": ("query,docid,rating\na,d1,1\n,d2,1\n", ":3", "has no query"),
    "grade between grades": ('query,docid,rating\n"a\nb",d1,1\na,d2,1.5\n', ":4", "'1.5' is not a whole number"),
    "grade in words": ("query,docid,rating\na,d1,good\n", ":2", "'good' is not a whole number"),
    "judged twice": ("query,docid,rating\na,d1,1\na,d1,2\n", ":3", "judged twice, 1 and 2"),
    "two texts": ("qid,query,docid,rating\n1,a,d1,1\n1,b,d2,2\n", ":3", "other words than before"),
    "no judgment": ("query,docid,rating\n", "", "holds no judgment"),
    "no JSON": ('{"queries": [\n{"query": "a",\n "ratings": {"d1": }}\n]}', ":3", "malformed"),
    "cut off": ('{"queries": [\n{"query": "a", "ratings": {"d1": 1}}', ":2", "truncated"),
    "no list": ('{"queries": 1, "ratings": 2}', "", "$.queries"),
    "rating in words": (
        '{"queries": [\n{"query": "a", "ratings": {"d1": 1}},\n{"query": "b", "ratings": {"d1": "good"}}]}',
        ":3",
        "$.ratings",
    ),
    "rating in words, after lines": (
        '{"queries": [\n{"query": "a",\n"ratings":\n{"d1": 1}},\n{"query": "b", "ratings": {"d1": "good"}}]}',
        ":5",
        "$.ratings",
    ),
    "no words": ('{"queries": [{"ratings": {"d1": 1}}]}', ":1", "no words"),
    "query twice": (
        '{"queries": [{"query": "a", "ratings": {"d1": 1}},\n{"query": "a", "ratings": {"d1": 1}}]}',
        ":2",
        "comes twice",
    ),
    "nothing rated": ('{"queries": [{"query": "a", "ratings": {}}]}', "", "holds no judgment"),
    "line of another form": ("1 qid:1 # d1 a\n1 qid 1 d2\n", ":2", "expected 'rating qid:N"),
    "line without words": ("1 qid:1 # d1\n", ":1", "no words"),
    "request without ratings": (
        '{"metric": {}, "requests": [\n\n{"id": "a", "request": {}, "ratings": []}]}',
        ":3",
        "has no ratings",
    ),
    "request without a search": (
        '{"requests": [{"id": "a", "template_id": "t", "ratings": [{"_id": "d", "rating": 1}]}]}',
        ":1",
        "no template that is in the file",
    ),
    "request twice": (
        (
            '{"requests": [{"id": "a", "request": {}, "ratings": [{"_id": "d", "rating": 1}]},\n'
            '{"id": "a", "request": {}, "ratings": [{"_id": "d", "rating": 1}]}]}'
        ),
        ":2",
        "comes twice",
    ),
    "one id of two indices": (
        (
            '{"requests": [{"id": "a", "request": {}, "ratings": [{"_id": "d", "_index": "x", "rating": 1},'
            '{"_id": "d", "_index": "y", "rating": 0}]}]}'
        ),
        ":1",
        "judged twice",
    ),
    "no request": ('{"requests": [], "metric": {}}', "", "holds no request"),
    "judgments alone": (TREC_QRELS, "", "judgments alone: name the file of queries"),
    "table of judgments alone": ("query_id,docid,rating\n1,d1,1\n", "", "judgments alone"),
    "something else": ("#!/bin/sh\n", "", "no judgments that can be read; there are BEIR folders"),
}


@pytest.mark.parametrize(("content", "line", "problem"), BROKEN.values(), ids=BROKEN)
def test_mistakes_are_told_by_line(tmp_path: Path, content: str, line: str, problem: str) -> None:
    """Every mistake in a file is a data error, at its line where it has one."""
    file = written(tmp_path, "judged", content)
    with pytest.raises(DataError) as raised:
        read_judged(file)
    assert raised.value.place == f"{file}{line}"
    assert problem in raised.value.problem


def test_mistakes_in_a_file_of_queries_are_told(tmp_path: Path) -> None:
    """Queries without an id, with two texts, or of which none is judged, are data errors."""
    qrels = written(tmp_path, "qrels.txt", TREC_QRELS)
    for content, place, problem in (
        ("red shoes\nhats\n", ":1", "no id"),
        ("7\tred shoes\n7\thats\n", ":2", "other words"),
        ("<top>\n<num> 7\n<title> a\n</top>\n\n<top>\n<num> 8\n</top>\n", ":6", "no title"),
    ):
        file = written(tmp_path, "queries", content)
        with pytest.raises(DataError, match=problem) as raised:
            read_judged(file, qrels)
        assert raised.value.place == f"{file}{place}"
    with pytest.raises(DataError, match="none of the queries is judged here") as raised:
        read_judged(written(tmp_path, "queries", "1\tred shoes\n"), qrels)
    assert raised.value.place == str(qrels)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A path where nothing is, is named itself."""
    with pytest.raises(DataError, match="no such folder or file") as raised:
        read_judged(tmp_path / "nowhere")
    assert raised.value.place == str(tmp_path / "nowhere")


def test_judgments_alone_are_read_in_any_form(tmp_path: Path) -> None:
    """Where judgments are wanted for queries that are known otherwise, each form gives them, perhaps with words."""
    csv = written(tmp_path, "ratings.csv", TABLES["Quepid, basic"])
    assert read_judgments(csv) == ({"1": {"d1": 2, "d2": 0}, "2": {"d3": 1}}, {"1": "red shoes", "2": "hats"})
    assert read_judgments(written(tmp_path, "qrels.txt", TREC_QRELS))[0]["7"] == {"d1": 2, "d2": 0}
