"""A whole bridge from its configuration: the only place where the parts meet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import TypeVar

import msgspec

from bridge.addresses import parse_address, split_listen
from bridge.assembly import Models, cascades_of, model_key, model_names, replicas_of
from bridge.capture import Capture, CapturingExchange
from bridge.config import MIB, Config
from bridge.errors import ConfigError, UpstreamError
from bridge.evaluate.client import SearchClient, open_client
from bridge.evaluate.dialect import DIALECTS, SEARCH_API, Dialect
from bridge.exchange import Exchange
from bridge.gateway import Gateway, SearchExchange
from bridge.generations import Generation, Generations, Shared
from bridge.line_log import LineLog
from bridge.models.base import Model
from bridge.modes import Steering, Switch
from bridge.rollout import PREFIX as ROLLOUT_PREFIX
from bridge.rollout import RolloutLog, ShadowingExchange, Shadows
from bridge.score_cache import ScoreCache
from bridge.scorer import Limits, Scorer
from bridge.server import Running, create_app, listening
from bridge.telemetry import Telemetry
from bridge.tracing import tracer_of
from bridge.upstream import Upstream, own_authorization, tls_context
from bridge.window_scores import WindowScores
from connectors.base import Connector, PassThrough, Reason, Reply, Request
from connectors.elasticsearch import Elasticsearch
from connectors.nodes import NodeLists
from connectors.opensearch import OpenSearch
from connectors.solr import Solr

_MAX_INFO_BYTES = MIB
_INFO_TIMEOUT_S = 30.0  # what the engines' own clients wait for an answer

_Part = TypeVar("_Part")
_Log = TypeVar("_Log", Capture, LineLog)


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine behind a bridge."""

    connector: Connector
    version: str
    """As the engine says it; empty where it was not asked or did not say."""

    def __str__(self) -> str:
        return f"{self.connector.name} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge that listens."""

    running: Running
    engine: Engine
    models: Models
    """None where the mode is off: nothing is scored, so nothing is loaded."""
    generations: Generations
    """What changes it while it runs; engine and models are those that it began with."""
    telemetry: Telemetry
    switch: Switch


@asynccontextmanager
async def bridging(config: Config, loaded: Models | None = None) -> AsyncIterator[Bridge]:
    """A bridge that is ready: engine known, models loaded (unless they are given), listening.

    Raises ``ConfigError`` where the engine's kind can't be told, ``UpstreamError`` where it can't be asked,
    ``ModelLoadError``, and ``OSError`` where the address can't be listened on.
    """
    build = _Builder(Telemetry(tracer_of(os.environ)), Switch(), loaded or {})
    first = await build(config)
    generations = Generations(first, build)
    try:
        host, port = split_listen(config.listen)
        async with listening(generations, host, port, shutdown_timeout_s=config.shutdown_timeout_s) as running:
            yield Bridge(running, first.engine, first.models, generations, build.telemetry, build.switch)
    finally:
        await generations.close()


async def identify(config: Config, upstream: Upstream, timeout_s: float = _INFO_TIMEOUT_S) -> Engine:
    """The engine, as configured or as it says itself.

    A configured one is not asked, so that a bridge can start before its engine.
    Raises ``ConfigError``, and ``UpstreamError``, which names the addresses.
    """
    connectors = _connectors(config)
    if config.engine != "auto":
        return Engine(next(each for each in connectors if each.name == config.engine), "")
    answered: dict[str, int] = {}
    for target in dict.fromkeys(each.info_target for each in connectors):
        reply = await _asked(config, upstream, target, timeout_s)
        answered[target], info = reply.status, _json_object(reply)
        for connector in connectors:
            version = connector.identify(info) if connector.info_target == target else None
            if version is not None:
                return Engine(connector, version)
    raise ConfigError([_unknown_engine(config, answered)])


def _connectors(config: Config) -> tuple[Connector, ...]:
    secret = config.id_secret.encode() if config.id_secret is not None else None
    return OpenSearch(secret), Elasticsearch(secret), Solr(f"/{name.lstrip('/')}" for name in config.solr_handlers)


async def _asked(config: Config, upstream: Upstream, target: str, timeout_s: float) -> Reply:
    """What the engine says of itself. Raises ``UpstreamError``, which names the addresses."""
    question = Request("GET", target, (("Accept", "application/json"),))
    try:
        async with asyncio.timeout(timeout_s):
            return await upstream.send(question, limit_bytes=_MAX_INFO_BYTES)
    except TimeoutError as error:
        raise UpstreamError(504, f"{_addresses(config)}: no answer to GET {target} in {timeout_s:g} seconds") from error
    except UpstreamError as error:
        raise UpstreamError(error.status, f"{_addresses(config)}: {error.problem}") from error


def described(replicas: Sequence[Model]) -> str:
    """A model in a few words: its name, where it runs and how, and the memory that it takes on each device."""
    model = replicas[0]
    devices = ", ".join(replica.device for replica in replicas)
    footprint = model.footprint
    parts = {"weights": footprint.weights, "cache up to": footprint.cache, "a batch up to": footprint.activations}
    memory = ", ".join(f"{part} {-(-size // MIB):,} MiB" for part, size in parts.items())
    return f"{model.name} on {devices} in {model.precision} ({memory})"


def described_scoring(config: Config, models: Models) -> str:
    """All models, which of them score for which indices, and the memory for scores."""
    if not models:
        return "model none, since the mode is off"
    parts = [*(f"model {described(replicas)}" for replicas in models.values()), *described_indices(config)]
    return "; ".join([*parts, f"scores kept in up to {config.score_cache_mib:,} MiB"])


def described_indices(config: Config) -> list[str]:
    """How each index pattern is scored, or that it is off; nothing where one model scores for all."""
    reached = config.reached()
    if len(reached) == 1 and len(config.model) == 1:
        return []
    others = "all indices" if len(reached) == 1 else "other indices"
    return [f"{pattern or others}: {_described_way(own)}" for pattern, own in reached.items()]


def _described_way(own: Config) -> str:
    usual = {"on": str(own.scoring), "off": "off"}
    return usual.get(own.mode) or f"{own.scoring}, in mode {own.mode}"


def _unknown_engine(config: Config, answered: Mapping[str, int]) -> str:
    answers = " and ".join(f"GET {target} with {status}" for target, status in answered.items())
    names = " or ".join(connector.name for connector in _connectors(config))
    return (
        f"{_addresses(config)} answered {answers}, which does not tell what engine it is: say so with "
        f"--engine {names}, or give credentials that may ask it; Solr's address is one without /solr"
    )


def _addresses(config: Config) -> str:
    return ", ".join(str(parse_address(address)) for address in config.upstream)


@asynccontextmanager
async def open_direct(config: Config) -> AsyncIterator[SearchClient]:
    """A client of the engine itself, with the credentials and certificates of the configuration.

    Raises ``UpstreamError`` where it has to be asked what engine it is, and can't be.
    """
    async with open_at(config.upstream[0], config, await _dialect(config)) as client:
        yield client


def open_at(url: str, config: Config, dialect: Dialect) -> AbstractAsyncContextManager[SearchClient]:
    """A client of an address, an engine's or a bridge's, with the credentials and certificates of the configuration."""
    tls = tls_context(config.upstream_ca_file)
    return open_client(
        url, dialect, authorization=own_authorization(config), ssl_context=None if isinstance(tls, bool) else tls
    )


async def _dialect(config: Config) -> Dialect:
    """How the engine is searched: as most are, where it does not tell what it is."""
    async with Upstream(config) as upstream:
        try:
            engine = await identify(config, upstream)
        except ConfigError:
            return SEARCH_API
    return DIALECTS.get(engine.connector.name, SEARCH_API)


class _Off:
    """The exchange of a bridge whose mode is off."""

    def declines(self, head: Request) -> Reason | None:
        del head
        return Reason.MODE_OFF

    async def search(self, request: Request) -> Reply | PassThrough:
        del request
        return PassThrough(Reason.MODE_OFF)


@dataclass(frozen=True, slots=True)
class _Made(Generation):
    """A generation, and what its configuration led to."""

    engine: Engine
    models: Models


class _Builder:
    """Builds the generations of one bridge, which share what they have alike."""

    def __init__(self, telemetry: Telemetry, switch: Switch, loaded: Models) -> None:
        self.telemetry = telemetry
        self.switch = switch
        self._loaded = loaded
        self._id_secret = token_hex()  # where none is configured: ids outlive a change of the configuration
        self._upstreams = Shared[Upstream]()
        self._engines = Shared[Engine]()
        self._models = Shared[tuple[Model, ...]]()
        self._caches = Shared[ScoreCache]()
        self._scorers = Shared[Scorer]()

    async def __call__(self, config: Config) -> _Made:
        """What a configuration makes; raises as ``bridging`` does."""
        async with AsyncExitStack() as stack:
            reached = tuple(getattr(config, name) for name in Config.model_fields if name.startswith("upstream"))
            upstream = await self._upstreams.take(reached, partial(Upstream, config), stack)
            secret = config.id_secret or self._id_secret
            known = partial(identify, config.model_copy(update={"id_secret": secret}), upstream)
            engine = await self._engines.take(
                (reached, config.engine, secret, config.solr_handlers), partial(_had, known), stack
            )
            exchange, models = await self._exchange(config, engine, upstream, stack)
            app = self._app(config, engine, exchange, upstream)
            return _Made(config, app, stack.pop_all(), engine, models)

    async def _exchange(
        self, config: Config, engine: Engine, upstream: Upstream, stack: AsyncExitStack
    ) -> tuple[SearchExchange, Models]:
        exchange: SearchExchange = _Off()
        models: dict[str, tuple[Model, ...]] = {}
        if config.mode != "off":
            for name in model_names(config):
                models[name] = await self._models.take(
                    model_key(config, name), partial(_had, partial(self._load, config, name)), stack
                )
            scorers = {name: await self._scorer(config, name, models[name], stack) for name in models}
            windows = WindowScores(cascades_of(config, models, scorers))
            stack.enter_context(self.telemetry.watching(windows.samples))
            log = self._rollout_log(config, engine, stack)
            reranking = Exchange(
                connector=engine.connector,
                upstream=upstream,
                scores=windows,
                policy=config.policy,
                telemetry=self.telemetry,
                steering=Steering(config.rollout, self.switch),
                placements=log,
            )
            shadows = Shadows(reranking.tried, self.telemetry, config.shadow_limit, log)
            exchange = ShadowingExchange(reranking, await stack.enter_async_context(shadows))
        if config.capture is not None:
            capture = Capture(config.capture, config.capture_share, config.capture_max_mib * MIB)
            exchange = CapturingExchange(exchange, _open_log(capture, stack))
        return exchange, models

    def _rollout_log(self, config: Config, engine: Engine, stack: AsyncExitStack) -> RolloutLog | None:
        if config.rollout_log is None:
            return None
        lines = LineLog("rollout_log", config.rollout_log, ROLLOUT_PREFIX, config.rollout_log_max_mib * MIB)
        return RolloutLog(_open_log(lines, stack), engine.connector.identity)

    async def _load(self, config: Config, name: str) -> tuple[Model, ...]:
        given = self._loaded.get(name)
        return given if given is not None else await asyncio.to_thread(replicas_of, config, name)

    async def _scorer(self, config: Config, name: str, replicas: tuple[Model, ...], stack: AsyncExitStack) -> Scorer:
        limits = Limits(config.queue_limit_pairs, config.batch_tokens)
        size = config.score_cache_mib * MIB

        async def cache() -> ScoreCache:
            return ScoreCache(size)

        scores = await self._caches.take(size, partial(_had, cache), stack)
        key = (model_key(config, name), limits, size)
        return await self._scorers.take(key, partial(Scorer, replicas, limits, scores, self.telemetry), stack)

    def _app(self, config: Config, engine: Engine, exchange: SearchExchange, upstream: Upstream) -> Gateway:
        return create_app(
            connector=engine.connector,
            exchange=exchange,
            upstream=upstream,
            telemetry=self.telemetry,
            ready=lambda: True,  # everything that can be waited for was waited for before the socket opened
            max_search_body_bytes=config.max_search_body_bytes,
            nodes=NodeLists(config.published_address) if config.sniffing else None,
            heeds_clients=config.allow_override,
        )


def _open_log(log: _Log, stack: AsyncExitStack) -> _Log:
    """The log, closed with the stack, in a thread: it writes what waits."""
    log.__enter__()
    stack.push_async_callback(asyncio.to_thread, log.__exit__, None, None, None)
    return log


@asynccontextmanager
async def _had(make: Callable[[], Awaitable[_Part]]) -> AsyncIterator[_Part]:
    """A part that needs no closing."""
    yield await make()


def _json_object(reply: Reply) -> dict[str, object]:
    try:
        return msgspec.json.decode(reply.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
