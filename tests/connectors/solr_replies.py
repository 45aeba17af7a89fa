"""A Solr that is made up for the tests: what it says of itself, and its replies in the forms that are on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from connectors.base import ExchangePlan, HitPage, PassThrough, Policy, Question, Questions, Reply, Request, SearchPlan
from connectors.solr import Solr

JSON = (("Content-Type", "application/json;charset=utf-8"),)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
TYPES = [
    {"name": "string", "class": "solr.StrField", "docValues": True},
    {"name": "text", "class": "solr.TextField"},
    {"name": "plong", "class": "solr.LongPointField", "docValues": True},
]
SCHEMA: Mapping[str, Any] = {
    "version": 1.7,
    "uniqueKey": "id",
    "fieldTypes": TYPES,
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "_text_", "type": "text", "stored": False},
        {"name": "title", "type": "text"},
        {"name": "body", "type": "text"},
        {"name": "n", "type": "plong"},
    ],
    "dynamicFields": [{"name": "*_t", "type": "text"}, {"name": "*_s", "type": "string"}],
    "copyFields": [{"source": "title", "dest": "_text_"}, {"source": "*_t", "dest": "_text_"}],
}
SELECT: Mapping[str, Any] = {"class": "solr.SearchHandler", "defaults": {"echoParams": "explicit", "rows": 10}}


def answer(content: object, status: int = 200) -> Reply:
    return Reply(status, "", JSON, json.dumps(content).encode())


class Told:
    """What a Solr answers about itself; None where the client may not ask it."""

    def __init__(
        self,
        handler: Mapping[str, Any] | None = SELECT,
        schema: Mapping[str, Any] | None = SCHEMA,
        init_params: Sequence[Mapping[str, Any]] = (),
        echo: Mapping[str, Any] | None = None,
    ) -> None:
        self._handler = handler
        self._schema = schema
        self._init_params = list(init_params)
        self._echo = echo
        self.targets: list[str] = []

    def of(self, question: Question) -> Reply:
        target = question.request.target
        self.targets.append(target)
        path = target.partition("?")[0]
        name = dict(parse_qsl(target.partition("?")[2])).get("componentName", "")
        contents: dict[str, object] = {
            "schema": self._schema and {"schema": self._schema},
            "requestHandler": self._handler and {"config": {"requestHandler": {name: self._handler}}},
            "initParams": self._handler and {"config": {"initParams": self._init_params}},
        }
        content = contents.get(path.rpartition("/")[2], self._echo and {"responseHeader": {"params": self._echo}})
        return answer({"error": {"code": 403}}, 403) if content is None else answer(content)


def request(query: str = "q=title:fox", path: str = "/solr/c/select") -> Request:
    return Request("GET", f"{path}?{query}", (("Accept", "*/*"),))


def json_request(body: object, query: str = "") -> Request:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", f"/solr/c/query?{query}" if query else "/solr/c/query", JSON, content)


def decided(
    asked: Request, told: Told | None = None, policy: Policy | None = None, connector: Solr | None = None
) -> ExchangePlan | PassThrough:
    """The plan after all that the connector wants to know."""
    told, connector = told or Told(), connector or Solr()
    answers: dict[Question, Reply | None] = {}
    for _ in range(4):
        plan = connector.plan(asked, lambda _: policy or Policy(window=20), answers)
        if not isinstance(plan, Questions):
            return plan
        answers |= {question: told.of(question) for question in plan.questions}
    raise AssertionError("asks for ever")


def planned(asked: Request, told: Told | None = None, policy: Policy | None = None) -> ExchangePlan:
    plan = decided(asked, told, policy)
    assert isinstance(plan, ExchangePlan), plan
    return plan


def search_of(plan: ExchangePlan) -> SearchPlan:
    (search,) = plan.searches
    assert isinstance(search, SearchPlan)
    return search


def parameters_of(plan: ExchangePlan) -> dict[str, str]:
    """The parameters of the URL that is asked in the client's place."""
    return dict(parse_qsl(plan.request.query_string, keep_blank_values=True))


def document(number: int, score: float | None = None, **members: Any) -> dict[str, Any]:
    own = {"id": f"d{number}", "title": f"fox {number}", **members}
    return own if score is None else {**own, "score": score}


def envelope(documents: Sequence[Mapping[str, Any]], start: int = 0, found: int | None = None, **more: Any) -> Any:
    header = {"status": 0, "QTime": 3, **({"params": more.pop("params")} if "params" in more else {})}
    response = {
        "numFound": len(documents) if found is None else found,
        "start": start,
        **({"maxScore": documents[0]["score"]} if documents and "score" in documents[0] else {}),
        "numFoundExact": True,
        "docs": list(documents),
    }
    return {"responseHeader": header, "response": response, **more}


def written(content: object, *, indent: bool = False) -> bytes:
    """As Solr 9 writes it: with ``indent``, a member is a line and an array is in one."""
    return (
        _lines(content, "\n") if indent else json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    ).encode()


def _lines(content: object, line: str) -> str:
    inner = f"{line}  "
    if isinstance(content, dict):
        members = [f"{inner}{json.dumps(key)}:{_lines(value, inner)}" for key, value in content.items()]
        return f"{{{','.join(members)}{line}}}" if members else "{ }"
    if isinstance(content, list):
        return f"[{','.join(_lines(value, line) for value in content)}]" if content else "[ ]"
    return json.dumps(content, ensure_ascii=False)


def reply(content: object, *, indent: bool = False, status: int = 200) -> Reply:
    body = content if isinstance(content, bytes) else written(content, indent=indent)
    return Reply(status, "OK", (*JSON, ("Content-Length", str(len(body)))), body)


def parsed(plan: ExchangePlan, answered: Reply) -> HitPage:
    (page,) = Solr().parse(plan, answered)
    assert isinstance(page, HitPage), page
    return page
