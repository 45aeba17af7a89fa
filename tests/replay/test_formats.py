"""Logs of every form: recognised by their content, read search by search, broken lines told with their place."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import DataError
from bridge.evaluate.template import multi_match
from bridge.replay.formats import ReadOptions, open_log
from bridge.replay.formats.strip import without
from bridge.replay.logged import Broken, LoggedSearch

BODY = {"query": {"match": {"title": {"query": 'red "shoes" [sale]', "boost": 1.0}}}, "size": 5}
SOURCE = json.dumps(BODY, separators=(",", ":"))
WORDS = ReadOptions(index="shop", body=multi_match("title"))
ICECAT = Path(__file__).parents[3] / "shared" / "data" / "icecat" / "ubi_queries.jsonl.gz"

ES9 = {
    "@timestamp": "2026-01-02T03:04:05.500Z",
    "log.level": "WARN",
    "elasticsearch.slowlog.id": "an-id",
    "elasticsearch.slowlog.message": "[products][0]",
    "elasticsearch.slowlog.search_type": "QUERY_THEN_FETCH",
    "elasticsearch.slowlog.source": SOURCE,
    "elasticsearch.slowlog.took_millis": 7,
    "event.dataset": "elasticsearch.index_search_slowlog",
}
ES7 = {
    "type": "index_search_slowlog",
    "timestamp": "2026-01-02T03:04:05,500Z",
    "level": "WARN",
    "component": "i.s.s.query",
    "message": "[products][0]",
    "took_millis": "7",
    "source": SOURCE,
}
OPENSEARCH_TEXT = (
    "[2026-01-02T03:04:05,500][WARN ][index.search.slowlog.query] [node-0] [products][0] took[7.1ms], took_millis[7], "
    "total_hits[1 hits], stats[], search_type[QUERY_THEN_FETCH], total_shards[5], source[%s], id[an-id], "
)
ES7_TEXT = (
    "[2026-01-02T03:04:05,500][WARN ][i.s.s.query              ] [node-0] [products][0] took[7.1ms], took_millis[7], "
    "total_hits[1 hits], types[], stats[], search_type[QUERY_THEN_FETCH], total_shards[5], source[%s], id[], "
)
REQUEST_TEXT = (
    "[2026-01-02T03:04:05,500][WARN ][c.s.r.slowlog            ] [node-0] took[7ms], took_millis[7], "
    "phase_took_millis[{expand=0, query=5, fetch=2}], total_hits[1 hits], search_type[QUERY_THEN_FETCH], "
    "shards[{total:5, successful:5, skipped:0, failed:0}], source[%s], id[]"
)


def write(folder: Path, name: str, *lines: object) -> Path:
    file = folder / name
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return file


def read(file: Path, options: ReadOptions | None = None) -> tuple[str, list[LoggedSearch | Broken]]:
    log = open_log(file, options or ReadOptions())
    return log.format_name, list(log.entries)


def searches(entries: Sequence[LoggedSearch | Broken]) -> list[LoggedSearch]:
    assert all(isinstance(entry, LoggedSearch) for entry in entries), entries
    return [entry for entry in entries if isinstance(entry, LoggedSearch)]


@pytest.mark.parametrize(
    ("line", "name", "target"),
    [
        (ES9, "slow log (JSON)", "/products/_search"),
        (ES7, "slow log (JSON)", "/products/_search"),
        (OPENSEARCH_TEXT % SOURCE, "slow log (text)", "/products/_search"),
        (ES7_TEXT % SOURCE, "slow log (text)", "/products/_search"),
        (REQUEST_TEXT % SOURCE, "slow log (text)", "/given/_search"),
        (OPENSEARCH_TEXT % json.dumps(SOURCE)[1:-1], "slow log (text)", "/products/_search"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_slow_logs(tmp_path: Path, line: object, name: str, target: str, suffix: str) -> None:
    """Body, index and time of a search, from each engine's JSON and text; brackets in the body are its own."""
    found, entries = read(write(tmp_path, "slow.log" + suffix, line), ReadOptions(index="given"))
    (search,) = searches(entries)
    assert (found, search.target, search.at_s) == (name, target, 1_767_323_045.5)
    assert json.loads(search.body) == BODY


def test_lines_of_one_search_count_once(tmp_path: Path) -> None:
    """A slow log has a line for each shard and phase; the same search a minute later is another one."""
    shards = [ES9 | {"elasticsearch.slowlog.message": f"[products][{shard}]"} for shard in range(5)]
    later = ES9 | {"@timestamp": "2026-01-02T03:05:05.500Z"}
    log = open_log(write(tmp_path, "slow.json", *shards, *shards, later), ReadOptions())
    assert [search.at_s for search in searches(list(log.entries))] == [1_767_323_045.5, 1_767_323_105.5]
    assert list(log.notes) == ["lines of other shards and phases of the same searches were passed over (9 searches)"]


@pytest.mark.parametrize(
    "line",
    [
        ES9 | {"elasticsearch.slowlog.source": SOURCE[:-9]},
        ES7 | {"source": SOURCE[:40]},
        OPENSEARCH_TEXT.partition("%s")[0] + SOURCE[:40],
        OPENSEARCH_TEXT % "",
    ],
)
def test_a_body_that_is_cut_off_is_noticed(tmp_path: Path, line: object) -> None:
    """Half a search body is not sent; its place is told."""
    file = write(tmp_path, "slow.log", line)
    assert read(file)[1] == [Broken(f"{file}:1", "the search body is cut off, or no JSON")]


def test_other_lines_of_a_slow_log_are_passed_over(tmp_path: Path) -> None:
    """Indexing operations stand in logs of their own, and sometimes in the same."""
    indexing = ES9 | {"event.dataset": "elasticsearch.index_indexing_slowlog"}
    assert len(read(write(tmp_path, "slow.json", ES9, indexing))[1]) == 1
    other = "[2026-01-02T03:04:05,500][INFO ][o.e.n.Node] [node-0] started"
    assert len(read(write(tmp_path, "slow.log", OPENSEARCH_TEXT % SOURCE, other, "  at a stack trace"))[1]) == 1


def test_user_behavior_insights(tmp_path: Path) -> None:
    """Words, id, time and body; what the plugin wrote into ``ext`` is taken out, and the notes say so."""
    ext = {"query_id": "a", "user_query": "red", "client_id": "c", "other": 1}
    entry = {
        "query_id": "a",
        "user_query": "red",
        "query": json.dumps(BODY | {"ext": ext}),
        "timestamp": 1_767_323_045_500,
    }
    whole = write(
        tmp_path, "ubi.ndjson", entry, {"_index": "ubi_queries", "_source": entry}, entry | {"query": ""}, "{"
    )
    log = open_log(whole, ReadOptions(index="shop", strip=("/size",)))
    first, second, *broken = list(log.entries)
    assert isinstance(first, LoggedSearch)
    assert isinstance(second, LoggedSearch)
    assert (first.query_text, first.query_id, first.at_s, first.target) == (
        "red",
        "a",
        1_767_323_045.5,
        "/shop/_search",
    )
    assert json.loads(first.body) == {"query": BODY["query"], "ext": {"other": 1}}
    assert second.body == first.body
    assert [entry.place for entry in broken] == [f"{whole}:3", f"{whole}:4"]
    assert "(2 searches)" in next(iter(log.notes))


@pytest.mark.skipif(not ICECAT.is_file(), reason="the icecat log is not on this machine")
def test_a_real_log_of_user_behavior_insights() -> None:
    """Every line of a log that the plugin wrote is a search that an engine accepts."""
    name, entries = read(ICECAT, ReadOptions(index="icecat"))
    assert name == "User Behavior Insights (ubi_queries)"
    found = searches(entries)
    assert len(found) == 4_130
    assert len({search.query_text for search in found}) == 2_682
    assert not any("ext" in json.loads(search.body) for search in found)


def test_multi_search(tmp_path: Path) -> None:
    """Each pair of lines is a search of its own; a body that is missing has its place."""
    header = {"index": ["a", "b"], "preference": "x y", "ignore_unavailable": True}
    file = write(tmp_path, "m.ndjson", header, BODY, {}, BODY, {"index": "c"}, "{", {"index": "d"})
    name, (first, second, third, last) = read(file, ReadOptions(index="given"))
    assert name == "_msearch"
    assert isinstance(first, LoggedSearch)
    assert isinstance(second, LoggedSearch)
    assert first.target == "/a,b/_search?preference=x+y&ignore_unavailable=true"
    assert (json.loads(first.body), second.target) == (BODY, "/given/_search")
    assert third == Broken(f"{file}:6", "is no search body")
    assert isinstance(last, Broken)


def har(*requests: dict[str, Any]) -> dict[str, Any]:
    entries = [{"startedDateTime": "2026-01-02T03:04:05.500Z", "request": request} for request in requests]
    return {"log": {"version": "1.2", "creator": {"name": "a browser"}, "entries": entries}}


@pytest.mark.parametrize("indent", [None, 2])
def test_http_archives(tmp_path: Path, indent: int | None) -> None:
    """The searches among all that a page loaded, those of an ``_msearch`` one by one."""
    post = {"mimeType": "application/json", "text": SOURCE}
    lines = {"mimeType": "application/x-ndjson", "text": f'{{"index":"a"}}\n{SOURCE}\n{{}}\n{SOURCE}\n'}
    requests: list[dict[str, Any]] = [
        {"method": "GET", "url": "https://shop.example/style.css"},
        {"method": "POST", "url": "https://es.example:9200/a/_search?preference=x", "postData": post},
        {"method": "POST", "url": "https://es.example:9200/_msearch", "postData": lines},
        {"method": "DELETE", "url": "https://es.example:9200/a"},
        {"method": "GET", "url": "https://es.example:9200/a/_search?q=x"},
    ]
    file = tmp_path / "page.har"
    file.write_text(json.dumps(har(*requests), indent=indent))
    name, entries = read(file)
    found = searches(entries)
    assert name == "HTTP archive (HAR)"
    assert [search.target for search in found] == [
        "/a/_search?preference=x",
        "/a/_search",
        "/_search",
        "/a/_search?q=x",
    ]
    assert json.loads(found[0].body) == json.loads(found[1].body) == BODY
    assert (found[3].body, found[0].at_s) == (b"", 1_767_323_045.5)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("queries.txt", ["red shoes", "  blue  hat "], [("red shoes", "", 1), ("blue hat", "", 1)]),
        ("q.csv", ["query,count", '"red, shoes",3', "hat,x"], [("red, shoes", "", 3), ("hat", "", 1)]),
        ("q.tsv", ["id\tsearch_term", "7\tred shoes"], [("red shoes", "7", 1)]),
        ("topics.tsv", ["7\tred shoes", "8\thats"], [("red shoes", "7", 1), ("hats", "8", 1)]),
        ("queries.jsonl", ['{"_id": "q1", "text": "red shoes"}'], [("red shoes", "q1", 1)]),
        (
            "topics.txt",
            ["<top>", "<num> Number: 301", "<title> International  Crime", "", "<desc> Description:", "x", "</top>"],
            [("International Crime", "301", 1)],
        ),
        (
            "topics.xml",
            [
                '<topics><topic number="7" type="x">',
                "<query>red &amp; blue</query><description>x</description>",
                "</topic>",
            ],
            [("red & blue", "7", 1)],
        ),
    ],
)
def test_words_alone(tmp_path: Path, name: str, lines: list[str], expected: list[tuple[str, str, int]]) -> None:
    """Lists of queries become searches of a template, with their ids and how often each was searched."""
    file = write(tmp_path, name, *lines)
    found = searches(read(file, WORDS)[1])
    assert [(search.query_text, search.query_id, search.weight) for search in found] == expected
    assert json.loads(found[0].body)["query"]["multi_match"]["query"] == expected[0][0]
    assert found[0].target == "/shop/_search"
    with pytest.raises(DataError, match="give a --body"):
        read(file)


def test_a_folder_in_beir_format(tmp_path: Path) -> None:
    """The folder of a data set is the log of its queries."""
    write(tmp_path, "queries.jsonl.gz", {"_id": "q1", "text": "red"}, {"_id": "q2"})
    _, (first, second) = read(tmp_path, WORDS)
    assert isinstance(first, LoggedSearch)
    assert isinstance(second, Broken)


def test_what_is_no_log(tmp_path: Path) -> None:
    """A file of something else, an empty one, and none at all are told apart from a log."""
    for file in (write(tmp_path, "a.json", {"a": 1}), write(tmp_path, "b.txt"), tmp_path / "none", tmp_path):
        with pytest.raises(DataError):
            read(file, WORDS)


@pytest.mark.parametrize(
    ("pointers", "left"),
    [
        (("/ext",), {"a": [{"b": 1}], "x/y": 2}),
        (("/a/0/b", "/x~1y"), {"a": [{}], "ext": {"z": 1}}),
        (("/none", "/a/7/b", "/a/0", "/ext/z/y"), {"a": [{"b": 1}], "x/y": 2, "ext": {"z": 1}}),
    ],
)
def test_what_is_taken_out_of_bodies(pointers: tuple[str, ...], left: object) -> None:
    """Members that JSON pointers name are taken out; where there is none, not a byte changes."""
    body = b'{"a": [{"b": 1}], "x/y": 2, "ext": {"z": 1}}'
    assert json.loads(without(body, pointers)) == left
    assert without(body, ("/none",)) == body


@given(st.binary(max_size=300))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever a file holds, reading it ends in searches, broken places, or one error of ours."""
    file = tmp_path_factory.mktemp("any") / "log"
    file.write_bytes(content)
    with suppress(DataError):
        read(file, WORDS)
