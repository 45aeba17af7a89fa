"""A search client as a user of the engine would write it: plain HTTP, one kept connection, a clock."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

import aiohttp
import msgspec
from yarl import URL

from bridge.errors import ConfigError, UpstreamError
from bridge.evaluate.dialect import SEARCH_API, Dialect, Hit

if TYPE_CHECKING:
    import ssl

REQUEST_TIMEOUT_S = 300.0
"""For one request, a bulk load's included: what aiohttp's own default is."""

_Body = TypeVar("_Body")

_SCORE_MS = re.compile(r"(?:^|,\s*)score;dur=(\d+(?:\.\d+)?)")

NO_HEADER = "no X-Rerank header"
"""The outcome of a search that no bridge answered."""

ERROR_CHARS = 500
"""Of an error's body, where it has no reason that can be read."""


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one model did for one search, as the reply's headers tell it."""

    model: str
    texts: int
    """That have a score of it."""
    ms: float
    """In its stage, waiting for it included."""


@dataclass(frozen=True, slots=True)
class SearchReply:
    """What a search found, best first, and how it was answered."""

    ids: tuple[str, ...]
    rerank: str | None
    """The ``X-Rerank`` header; None where there is none, as from an engine itself."""
    latency_s: float
    """From sending the request to the last byte of the reply; reading its JSON is not counted."""
    timing: str = ""
    """The ``Server-Timing`` header."""

    @property
    def outcome(self) -> str:
        """The ``X-Rerank`` header in few words: ``applied``, ``applied in part``, or ``skipped`` with its reason."""
        if self.rerank is None:
            return NO_HEADER
        word, details = _parsed(self.rerank)
        if "cut" in details or details.get("scored", "").split(",")[0] not in {"", details.get("window")}:
            return f"{word} in part"
        return f"{word}: {details['reason']}" if "reason" in details else word

    @property
    def stages(self) -> tuple[StageCost, ...]:
        """What each model did for it, in their order; nothing where it was not reranked, or the headers don't tell."""
        _, details = _parsed(self.rerank or "")
        models = [unquote(name) for name in details.get("model", "").split(",") if name]
        texts = details.get("scored", details.get("window", "")).split(",")
        ms = _SCORE_MS.findall(self.timing)
        if not len(models) == len(texts) == len(ms):
            return ()
        told = zip(models, texts, ms, strict=True)
        return tuple(StageCost(model, int(count), float(spent)) for model, count, spent in told if count.isdecimal())


def _parsed(rerank: str) -> tuple[str, dict[str, str]]:
    """The first word of the header, and its parameters."""
    word, *parameters = (part.strip() for part in rerank.split(";"))
    return word, {name: value for name, _, value in (part.partition("=") for part in parameters)}


@dataclass(frozen=True, slots=True)
class Answer:
    """Any reply, whatever its status."""

    status: int
    rerank: str | None
    body: bytes
    timing: str = ""


class SearchClient:
    """Talks to one address, be it an engine or a bridge. Requests go one after another on one connection."""

    def __init__(self, session: aiohttp.ClientSession, url: str, dialect: Dialect = SEARCH_API) -> None:
        self._session = session
        self.url = url
        """The address without credentials, fit to be shown."""
        self.dialect = dialect

    async def search(self, index: str, body: bytes) -> SearchReply:
        """The hits of a search. Raises ``UpstreamError`` where it is not answered by 200 and a page of hits."""
        started_s = time.perf_counter()
        answer = await self.send("POST", self.dialect.search_path(index), body)
        latency_s = time.perf_counter() - started_s
        hits = self.hits(answer, f"the search on {index!r}")
        return SearchReply(tuple(hit.id for hit in hits), answer.rerank, latency_s, answer.timing)

    async def send(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> Answer:
        """The answer, errors of the engine's included. Raises ``UpstreamError`` where none comes."""
        headers = {"Content-Type": content_type} if body else {}
        url = URL(f"{self.url}/{path}", encoded=True)
        try:
            data = BytesIO(body) if body else None  # as bytes, aiohttp warns of large ones
            async with self._session.request(method, url, data=data, headers=headers) as reply:
                timing = reply.headers.get("Server-Timing", "")
                return Answer(reply.status, reply.headers.get("X-Rerank"), await reply.read(), timing)
        except TimeoutError as error:
            raise UpstreamError(504, f"{self.url} gave no answer within {REQUEST_TIMEOUT_S:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(502, f"{self.url} can't be reached: {error or type(error).__name__}") from error

    def read(self, answer: Answer, kind: type[_Body], what: str) -> _Body:
        """The body of a successful answer. Raises ``UpstreamError`` that names ``what`` where it is none."""
        return self._decoded(answer, lambda body: msgspec.json.decode(body, type=kind), what)

    def hits(self, answer: Answer, what: str) -> Sequence[Hit]:
        """The hits of a successful answer to a search. Raises as ``read``."""
        return self._decoded(answer, self.dialect.hits, what)

    def _decoded(self, answer: Answer, decode: Callable[[bytes], _Body], what: str) -> _Body:
        if answer.status != 200:  # noqa: PLR2004 - the engines answer all that is read here with 200
            raise UpstreamError(502, f"{what} at {self.url} was answered {answer.status}: {reason(answer.body)}")
        try:
            return decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamError(502, f"{what} at {self.url} was answered by no engine: {error}") from error


@asynccontextmanager
async def open_client(
    url: str,
    dialect: Dialect = SEARCH_API,
    *,
    authorization: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[SearchClient]:
    """A client for ``http[s]://[user:password@]host[:port][/prefix]``; closed at the end of the block.

    ``authorization`` is sent as that header where the address itself has no user. Raises ``ConfigError`` where ``url``
    is not an address.
    """
    address = _parse(url)
    if address.user is not None:
        authorization = _basic(address.user, address.password or "")
    headers = {"Accept-Encoding": "identity"}  # the official clients ask for no compression unless they are told to
    if authorization is not None:
        headers["Authorization"] = authorization
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, ssl=ssl_context or True),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
    ) as session:
        yield SearchClient(session, str(address.with_user(None)).rstrip("/"), dialect)


def _parse(url: str) -> URL:
    try:
        address = URL(url)
    except ValueError as error:
        raise ConfigError([f"{url!r} is not an address: {error}"]) from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise ConfigError([f"{url!r} is not an http:// or https:// address"])
    return address.with_query(None).with_fragment(None)


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class _Error(msgspec.Struct):
    type: str = ""
    reason: str | None = None
    msg: str | None = None
    """Of Solr's."""


class _ErrorBody(msgspec.Struct):
    error: _Error | str


def reason(body: bytes) -> str:
    """What an engine says in the body of an error."""
    try:
        error = msgspec.json.decode(body, type=_ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:ERROR_CHARS].decode(errors="replace")
    if isinstance(error, str):
        return error
    return error.msg if error.msg is not None else f"{error.type}: {error.reason}"
