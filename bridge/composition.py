"""A whole bridge from its configuration: the only place where the parts meet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import TypeVar

import msgspec

from bridge.addresses import parse_address, split_listen
from bridge.capture import Capture, CapturingExchange
from bridge.cascade import Cascade, Cascades, Stage
from bridge.config import MIB, Config
from bridge.errors import ConfigError, UpstreamError
from bridge.evaluate.client import SearchClient, open_client
from bridge.evaluate.dialect import DIALECTS, SEARCH_API, Dialect
from bridge.exchange import Exchange
from bridge.gateway import Gateway, SearchExchange
from bridge.generations import Generation, Generations, Shared
from bridge.index_config import ScoringConfig
from bridge.models import catalog
from bridge.models.base import Model, ModelKind
from bridge.modes import Steering, Switch
from bridge.passages import Passages
from bridge.ranking import Rule
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
_TIMEOUT_S = {"cpu": 3.0, "cuda": 1.0}
_RULES: dict[ModelKind, Rule] = {"bi-encoder": Rule("blend", 0.7), "cross-encoder": Rule("model", 1.0)}

_Part = TypeVar("_Part")

Models = Mapping[str, tuple[Model, ...]]
"""The replicas of each model, one at least, by the name that the configuration has for it."""


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


@asynccontextmanager
async def scoring(config: Config, models: Models, telemetry: Telemetry) -> AsyncIterator[Cascades]:
    """Every way to score that the configuration names, over the same models, queues and scores that are kept."""
    cache = ScoreCache(config.score_cache_mib * MIB)
    limits = Limits(config.queue_limit_pairs, config.batch_tokens)
    async with AsyncExitStack() as stack:
        scorers = {
            name: await stack.enter_async_context(Scorer(replicas, limits, cache, telemetry))
            for name, replicas in models.items()
        }
        yield _cascades(config, models, scorers)


def _cascades(config: Config, models: Models, scorers: Mapping[str, Scorer]) -> Cascades:
    return Cascades({name: _cascade(scoring, models, scorers) for name, scoring in config.scorings().items()})


def _cascade(wanted: ScoringConfig, models: Models, scorers: Mapping[str, Scorer]) -> Cascade:
    stages = [
        Stage(
            scorers[stage.name],
            _rule(wanted, models[stage.name][0].kind, is_last=stage is wanted.model[-1]),
            stage.keep,
        )
        for stage in wanted.model
    ]
    usual_s = max(_TIMEOUT_S[_kind(models[stage.name][0])] for stage in wanted.model)
    passages = Passages(wanted.passages) if wanted.passages is not None else None
    return Cascade(stages, wanted.timeout_s or usual_s, passages=passages)


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


async def load_models(config: Config) -> Models:
    """The models that searches may need, each once, on every device that is wanted. Raises ``ModelLoadError``."""
    return {name: await asyncio.to_thread(_replicas, config, name) for name in _model_names(config)}


def _replicas(config: Config, name: str) -> tuple[Model, ...]:
    first = _load(config, name, config.device)  # says it where there is no torch at all
    from bridge.models.device import devices  # noqa: PLC0415 - imports torch

    return (first, *(_load(config, name, device) for device in devices(config.device)[1:]))


def _load(config: Config, name: str, device: str) -> Model:
    return catalog.load(
        name,
        device=device,
        precision=config.precision,
        cache_bytes=config.model_cache_mib * MIB,
        long_context=config.long_context,
    )


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
    tls = tls_context(config.upstream_ca_file)
    async with open_client(
        config.upstream[0],
        await _dialect(config),
        authorization=own_authorization(config),
        ssl_context=None if isinstance(tls, bool) else tls,
    ) as client:
        yield client


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
            engine = await self._engines.take((reached, config.engine, secret), partial(_had, known), stack)
            exchange, models = await self._exchange(config, engine, upstream, stack)
            app = self._app(config, engine, exchange, upstream)
            return _Made(config, app, stack.pop_all(), engine, models)

    async def _exchange(
        self, config: Config, engine: Engine, upstream: Upstream, stack: AsyncExitStack
    ) -> tuple[SearchExchange, Models]:
        exchange: SearchExchange = _Off()
        models: dict[str, tuple[Model, ...]] = {}
        if config.mode != "off":
            for name in _model_names(config):
                models[name] = await self._models.take(
                    _model_key(config, name), partial(_had, partial(self._load, config, name)), stack
                )
            scorers = {name: await self._scorer(config, name, models[name], stack) for name in models}
            windows = WindowScores(_cascades(config, models, scorers))
            stack.enter_context(self.telemetry.watching(windows.samples))
            exchange = Exchange(
                connector=engine.connector,
                upstream=upstream,
                scores=windows,
                policy=config.policy,
                telemetry=self.telemetry,
                steering=Steering(config.rollout, self.switch),
            )
        if config.capture is not None:
            capture = Capture(config.capture, config.capture_share, config.capture_max_mib * MIB)
            capture.__enter__()
            stack.push_async_callback(asyncio.to_thread, capture.__exit__, None, None, None)  # which writes to the end
            exchange = CapturingExchange(exchange, capture)
        return exchange, models

    async def _load(self, config: Config, name: str) -> tuple[Model, ...]:
        given = self._loaded.get(name)
        return given if given is not None else await asyncio.to_thread(_replicas, config, name)

    async def _scorer(self, config: Config, name: str, replicas: tuple[Model, ...], stack: AsyncExitStack) -> Scorer:
        limits = Limits(config.queue_limit_pairs, config.batch_tokens)
        size = config.score_cache_mib * MIB

        async def cache() -> ScoreCache:
            return ScoreCache(size)

        scores = await self._caches.take(size, partial(_had, cache), stack)
        key = (_model_key(config, name), limits, size)
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
        )


@asynccontextmanager
async def _had(make: Callable[[], Awaitable[_Part]]) -> AsyncIterator[_Part]:
    """A part that needs no closing."""
    yield await make()


def _model_names(config: Config) -> Sequence[str]:
    """The models that searches may need, each once."""
    return list(dict.fromkeys(stage.name for scoring in config.scorings().values() for stage in scoring.model))


def _model_key(config: Config, name: str) -> Hashable:
    """What a loaded model depends on."""
    return (name, config.device, config.precision, config.model_cache_mib, config.long_context)


def _json_object(reply: Reply) -> dict[str, object]:
    try:
        return msgspec.json.decode(reply.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _kind(model: Model) -> str:
    return model.device.partition(":")[0]


def _rule(wanted: ScoringConfig, kind: ModelKind, *, is_last: bool) -> Rule:
    usual = _RULES[kind]
    if not is_last:
        return usual
    ranking = usual.ranking if wanted.ranking == "auto" else wanted.ranking
    weight = usual.blend_weight if wanted.blend_weight is None else wanted.blend_weight
    return Rule(ranking, weight)
