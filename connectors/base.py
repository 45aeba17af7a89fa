"""The vocabulary that every connector shares. Bytes and values only: no I/O happens here.

A connector knows one engine and has three verbs, for a request that holds one search or several::

    plan(request, policy_of, answers)  -> ExchangePlan     read the searches, widen them
    parse(plan, reply)                 -> pages            find the hits and their texts, search by search
    splice(plan, pages, reply, orders) -> Reply            write the pages that were asked for

What a connector does not fully understand it does not touch: it answers ``PassThrough`` with a reason. What it can't
know from the request alone, it has the engine asked: ``plan`` answers ``Questions``, and is called again with the
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

Headers = tuple[tuple[str, str], ...]
"""Header fields in the order of the wire, names as they were written."""

ScorePolicy = Literal["replace", "keep"]
RescorePolicy = Literal["skip", "rerank"]
LongDocuments = Literal["truncate", "best_passage", "highlight"]


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header field, whatever the case of its name, or None."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request, read whole."""

    method: str
    target: str
    """The request line's path and query string, percent-encoded as they came."""
    headers: Headers
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query string, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """What stands behind the question mark, without it, still percent-encoded."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first value of a header field, or None."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, read whole: the engine's, or the one that goes to the client."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header field, or None."""
        return header(self.headers, name)


class Reason(StrEnum):
    """Why a search passed through. The value is what ``X-Rerank: skipped; reason=`` says.

    ``connectors.reasons`` has a sentence on each.
    """

    OFF = "off"
    MODE_OFF = "mode-off"
    SWITCHED_OFF = "switched-off"
    SHADOW = "shadow"
    NOT_IN_SHARE = "not-in-share"
    CONTENT_TYPE = "content-type"
    CONTENT_ENCODING = "content-encoding"
    BODY_TOO_LARGE = "body-too-large"
    NOT_JSON = "not-json"
    BODY_SHAPE = "body-shape"
    REPLY_FORMAT = "reply-format"
    FILTER_PATH = "filter-path"
    TEMPLATE = "template"
    NO_QUERY_TEXT = "no-query-text"
    FILTER_ONLY = "filter-only"
    AUTOCOMPLETE = "autocomplete"
    MORE_LIKE_THIS = "more-like-this"
    VECTOR_SEARCH = "vector-search"
    RETRIEVER = "retriever"
    SEARCH_PIPELINE = "search-pipeline"
    RESCORE = "rescore"
    SORTED = "sorted"
    SIZE_ZERO = "size-zero"
    BEYOND_WINDOW = "beyond-window"
    SCROLL = "scroll"
    SEARCH_AFTER = "search-after"
    SLICE = "slice"
    COLLAPSE_INNER_HITS = "collapse-inner-hits"
    GROUPED = "grouped"
    COMPONENT = "component"
    FIELD_LIST = "field-list"
    HANDLER_UNKNOWN = "handler-unknown"
    SHARD_REQUEST = "shard-request"
    STORED_FIELDS_NONE = "stored-fields-none"
    ID_TOO_LONG = "id-too-long"
    UNKNOWN_ID = "unknown-id"
    NO_TEXT = "no-text"
    SAME_TEXT = "same-text"
    TOO_FEW_HITS = "too-few-hits"
    NOT_SCORED = "not-scored"
    ENGINE_ERROR = "engine-error"
    SHARDS_FAILED = "shards-failed"
    PARTIAL = "partial"
    NOT_MODIFIED = "not-modified"
    REPLY_TOO_LARGE = "reply-too-large"
    REPLY_SHAPE = "reply-shape"
    MODEL_FAILED = "model-failed"
    DEADLINE = "deadline"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class PassThrough:
    """The decision to leave an exchange as the engine has it, and why."""

    reason: Reason
    window_limit: int | None = None
    """The largest ``from + size`` that the engine allows, where it refused the widened search for that."""
    read: SearchPlan | None = None
    """What had been read of the search by then."""
    pattern: str | None = field(default=None, compare=False)
    """The configured index pattern that it goes by, as a policy has it; None where it was not read so far."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the engine has to be asked before a search can be planned: to render a template, for a mapping."""

    request: Request
    """With the client's own credentials; without header fields that differ from search to search."""
    holds_s: float = 0.0
    """How long the answer may serve equal questions; 0: this exchange alone."""


@dataclass(frozen=True, slots=True)
class Questions:
    """All that has to be asked before a plan can be made, as far as it is known yet."""

    questions: tuple[Question, ...]


Answers = Mapping[Question, Reply | None]
"""What the engine answered, errors included; None where it gave no answer."""


@dataclass(frozen=True, slots=True)
class TextField:
    """One field of a document that the model reads."""

    name: str
    """Dotted path; ``*`` matches within and across dots, as in the engine."""
    label: str = ""
    """Written before the text as ``label: ``; nothing where empty."""
    max_chars: int | None = None
    """Characters of this field that are read; None reads all of them."""


class KeepTop(NamedTuple):
    """How far the first stage's best hits may fall."""

    first: int
    """So many of them are kept."""
    within: int
    """The lowest rank, from 1, that they may fall to."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration wants for the index that a search names."""

    is_on: bool = True
    pattern: str = ""
    """The configured index pattern that it stands for; empty: it is that of all other indices."""
    scoring: str = ""
    """Which of the configured ways to score (models, ranking, deadline) is meant: a name of the configuration's."""
    window: int = 100
    """First-stage hits that are scored."""
    text_fields: tuple[TextField, ...] = ()
    """What the model reads of a hit; empty: the fields that the query names."""
    instruction: str = ""
    """What relevance means here, for models that know instructions."""
    score_policy: ScorePolicy = "replace"
    query_pointer: str = ""
    """JSON pointer to the words in the search body; empty: they are read from the query."""
    query_text: str = ""
    """The words, or a template for them, as ``connectors.configured_words`` has it; empty: the words as they are."""
    min_last_word_letters: int = 2
    """Letters of a last word below which it is being typed; 0 takes every word as whole. With 2, "wireless h" passes
    through and "vitamin C" does not: of 7,163 queries that were typed out (NFCorpus, SciFact and a shop's) one ends in
    a single small letter ("iphone x"); where every key sends a search, every word ends in one once."""
    promote: bool = False
    """Whether words that stand in filter context alone are made to rank."""
    sort_override: bool = False
    """Whether a search is reranked though it asks for another order than that of the scores."""
    rescore: RescorePolicy = "skip"
    """What happens to a search whose hits the engine rescores itself: left alone, or reranked all the same."""
    long_documents: LongDocuments = "truncate"
    """What a model reads of a text that is longer than what it reads at once."""
    exact_fields: tuple[str, ...] = ()
    """A hit stays on top where one of these fields is the query text."""
    keep_top: KeepTop | None = None
    boost_weight: float = 0.0
    """Share of the first stage in the order of searches that raise documents by more than words, from 0 to 1."""
    max_text_chars: int = 20_000
    """Characters of one hit's text that are kept: no model here reads more."""
    max_body_bytes: int = 1 << 20
    """Of a search body, its content coding undone."""
    max_reply_bytes: int = 64 << 20
    """Of a reply to a widened search, its content coding undone."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One hit of the window, as the model reads it."""

    text: str
    """Empty where the hit has none of the fields that are read."""
    is_pinned: bool = False
    """Whether the engine was told to put it where it stands."""
    is_exact: bool = False
    """Whether one of the policy's ``exact_fields`` is the query text."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A search that can be reranked: what it means, and the wider search to send."""

    request: Request
    """The widened request: from 0, at least ``window`` hits, with the fields that are read. Where the engine would find
    others for so many, those of the page alone."""
    query_text: str
    text_fields: tuple[TextField, ...]
    """What is read of a hit; empty: every text field that the reply shows."""
    start: int
    """Where the client's page starts in the hits that are fetched."""
    size: int
    """The client's ``size``."""
    policy: Policy
    """What was wanted for its indices."""
    indices: tuple[str, ...] = ()
    """The names and patterns that it searches; none means all of them."""
    has_boosts: bool = False
    """Whether it raises documents by more than words: by popularity, freshness, a script."""
    is_reordered: bool = False
    """Whether the hits come in another order than the client would get, who then has no use for them unreranked."""
    restore: object = None
    """The connector's own notes on what to strip from the reply again."""


@dataclass(frozen=True, slots=True)
class ExchangePlan:
    """A request with its searches: what to send in its place, and what to know when the reply comes."""

    request: Request
    searches: tuple[SearchPlan | PassThrough, ...]
    """In the request's order; none where the reply has no hits, and only has to be written anew."""
    max_reply_bytes: int
    way: object = field(repr=False, default=None)
    """The connector's own notes on the way in by which the request came."""


@dataclass(frozen=True, slots=True)
class HitPage:
    """The engine's reply to a widened search, taken apart."""

    candidates: tuple[Candidate, ...]
    """The window's hits with their texts, in first-stage order."""
    first_stage_scores: tuple[float, ...]
    """The scores of all hits fetched, window and tail, in first-stage order."""
    skip: Reason | None = None
    """Why the hits can't be reranked, though the page can be cut; ``candidates`` is then empty."""
    parts: object = field(repr=False, default=None)
    """The connector's own notes on where the hits stand in the reply."""


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit's new place: where it stood in the first stage, and the ``_score`` to write."""

    first_stage_index: int
    score: float


Order = Sequence[RankedHit]
"""A permutation of all hits fetched, best first: window, then tail."""


Page = HitPage | PassThrough
"""What became of one search: its hits, or why they can't be read."""

PolicyOf = Callable[[tuple[str, ...]], Policy]
"""What the configuration wants for a search that names these indices and patterns; none means all of them."""


class Connector(Protocol):
    """What the bridge needs to know of an engine."""

    name: str
    info_target: str
    """Path and query string of what an engine of this kind says of itself."""

    def is_search(self, method: str, path: str) -> bool:
        """Whether this may hold a search that might be reranked; decided before a body is read."""
        ...

    def plan(self, request: Request, policy_of: PolicyOf, answers: Answers) -> ExchangePlan | PassThrough | Questions:
        """The widened request, or why it is left alone, or what has to be known first."""
        ...

    def parse(self, plan: ExchangePlan, reply: Reply) -> Sequence[Page]:
        """The hits of each search, in the order of the plan: ``len(pages) == len(plan.searches)``."""
        ...

    def repeat(self, plan: ExchangePlan, failed: Sequence[int]) -> Request | None:
        """The request that asks these searches anew as they came; None: the whole exchange has to be."""
        ...

    def merged(self, plan: ExchangePlan, reply: Reply, failed: Sequence[int], again: Reply) -> Reply:
        """The reply with what the repeated searches were answered in the places of the failed ones."""
        ...

    def splice(self, plan: ExchangePlan, pages: Sequence[Page], reply: Reply, orders: Sequence[Order | None]) -> Reply:
        """The reply with each search's page of its order; None: of the first stage, scores untouched."""
        ...

    def identity(self, page: HitPage, place: int) -> Mapping[str, object]:
        """``_index`` and ``_id`` of a hit, as far as the client sees them; ``place`` is its first-stage one, from 0."""
        ...

    def forwarded(self, request: Request) -> Request:
        """The request to pass on where it is left alone: the same, or with the engine's own id in the place of ours."""
        ...

    def error(self, status: int, reason: str) -> Reply:
        """An error of the bridge's own (502, 504) in the engine's error envelope."""
        ...

    def identify(self, info: Mapping[str, object]) -> str | None:
        """The version, where this is what such an engine says of itself; else None."""
        ...
