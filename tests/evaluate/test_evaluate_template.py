from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import DataError
from bridge.evaluate.template import BodyTemplate, multi_match, read_template


def test_query_is_put_into_every_string(tmp_path: Path) -> None:
    """The placeholder is replaced in strings at any depth, where quotes stay quotes, and names stay as they are."""
    file = tmp_path / "body.json"
    file.write_text(
        '{"query": {"bool": {"should": [{"match": {"a": "say {{query}}!"}}, {"n": [1, null]}]}}, "{{query}}": 1}'
    )
    body = json.loads(read_template(file).fill('"x"} \\', 10))
    assert body == {
        "query": {"bool": {"should": [{"match": {"a": 'say "x"} \\!'}}, {"n": [1, None]}]}},
        "{{query}}": 1,
        "from": 0,
        "size": 10,
    }


def test_page_of_the_template_gives_way() -> None:
    """The page that is asked for is the evaluation's, not the template's."""
    template = BodyTemplate({"from": 20, "size": 5, "query": {}})
    assert json.loads(template.fill("x", 100)) == {"from": 0, "size": 100, "query": {}}
    assert json.loads(template.fill("x", 10, 30)) == {"from": 30, "size": 10, "query": {}}


def test_multi_match_searches_the_fields() -> None:
    """The default body takes the best of the fields."""
    body = json.loads(multi_match("title", "text").fill("x", 3))
    assert body["query"] == {"multi_match": {"query": "x", "fields": ["title", "text"], "type": "best_fields"}}


BROKEN = {
    "no JSON": (b'{\n"query": }', ":2", "Expecting value"),
    "no object": (b'["{{query}}"]', "", "object"),
    "no place for the query": (b'{"query": {"match_all": {}}}', "", "{{query}}"),
    "placeholder as a name alone": (b'{"{{query}}": 1}', "", "{{query}}"),
    "not UTF-8": (b"\xff", "", "can't be read"),
}


@pytest.mark.parametrize(("content", "line", "problem"), BROKEN.values(), ids=BROKEN)
def test_broken_template_is_a_data_error(tmp_path: Path, content: bytes, line: str, problem: str) -> None:
    """A template that can't be used is named with its file, and its line where there is one."""
    file = tmp_path / "body.json"
    file.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_template(file)
    assert raised.value.place == f"{file}{line}"
    assert problem in raised.value.problem


def test_missing_template_is_a_data_error(tmp_path: Path) -> None:
    """A template that is not there is named."""
    with pytest.raises(DataError, match="can't be read"):
        read_template(tmp_path / "nowhere.json")
