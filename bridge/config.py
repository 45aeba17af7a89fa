"""One frozen configuration: every setting with its default, its bounds and what it does.

The descriptions are the documentation: ``docs/configuration.md`` is made from them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from bridge.addresses import check_address, split_listen
from bridge.index_config import (
    IndexConfig,
    Instruction,
    KeepTopConfig,
    Names,
    Ranking,
    ScoringConfig,
    StageConfig,
    Stages,
)
from bridge.modes import USUAL_SHARE, Rollout
from bridge.operation_config import ModeSetting, OperationConfig
from connectors.base import KeepTop, LongDocuments, Policy, RescorePolicy, ScorePolicy, TextField

MIB = 1024 * 1024


class Config(OperationConfig):
    """All settings of a bridge."""

    upstream: tuple[str, ...] = Field(
        description="Address of the engine, such as `http://localhost:9200`; several are separated by commas and take "
        "turns. A path prefix and `user:password@` are allowed.",
    )
    engine: Literal["auto", "opensearch", "elasticsearch", "solr"] = Field(
        "auto",
        description="The engine's kind; `auto` asks it, so that it must be up when the bridge starts. One that is "
        "named is not asked.",
    )
    solr_handlers: Names = Field(
        (), description="Request handlers of Solr that are searches, such as `/browse`, beside `/select` and `/query`."
    )
    listen: str = Field(
        "127.0.0.1:9400", description="Address and port that clients connect to; port 0 takes a free one."
    )
    published_address: str | None = Field(
        None,
        description="`HOST:PORT` by which clients reach the bridge, written into the lists of nodes that sniffing "
        "clients ask for (`/_nodes/http` and its kin), so that they stay on the bridge. Unset: the address that the "
        "client itself used, by its `Host`.",
    )
    sniffing: bool = Field(
        default=True,
        description="`false` leaves the engine's own addresses in lists of nodes: clients that sniff then go past the "
        "bridge.",
    )
    mode: ModeSetting = Field(
        "on",
        description="`off` passes every search through. `shadow` does as well, and finds out beside it what would "
        "have changed. `canary` reranks a `share` of the searches. `interleave` lets first stage and models take "
        "turns.",
    )

    model: Stages = Field(
        (StageConfig(name="embedded", keep=None),),
        description="`embedded`, a hub id such as `mixedbread-ai/mxbai-rerank-base-v2`, or a local folder. Several "
        "score one after the other, as in `embedded:30,mixedbread-ai/mxbai-rerank-base-v2`: the second scores the 30 "
        "that the first likes best. In a file also a list of stages.",
    )
    device: str = Field(
        "auto",
        description="`auto` (CUDA where there is a device; with several, a replica of the model on each), `cpu`, "
        "`cuda` or `cuda:N`.",
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="Number format of the models; `auto` is bfloat16 on a GPU; on a CPU "
        "with instructions for it int8 for `embedded` and bfloat16 for causal models, else float32.",
    )
    long_context: bool = Field(
        default=False,
        description="Let models that can read 32K tokens do so, rather than 8K; raise `max_text_chars` with it.",
    )
    model_cache_mib: int = Field(
        256,
        ge=0,
        description="Memory for what a model keeps between searches, such as the document vectors of the embedded one, "
        "in MiB for each model.",
    )
    score_cache_mib: int = Field(
        64,
        ge=1,
        description="Memory for scores that are kept, so that the same page again or the next page of a search costs "
        "no model time, in MiB over all models. 64 hold the scores of about 3,300 windows of 100 hits.",
    )
    instruction: Instruction = Field(
        "",
        description="What relevance means, in a sentence, for models that know instructions; others ignore it. The "
        "request header `X-Rerank-Instruction` says it for one search.",
    )

    window: int = Field(
        100,
        ge=2,
        le=10_000,
        description="First-stage hits that are scored. 100 is what reranking benchmarks use; the engines' own limit "
        "on a page is 10,000.",
    )
    ranking: Ranking = Field(
        "auto",
        description="`model` orders by the model alone, `blend` by a weighted mean of model and first stage (both "
        "scaled over the window), `rrf` by reciprocal rank fusion. `auto` is `model` for cross-encoders and "
        "`blend` for bi-encoders. Concerns the last stage; the stages before it go by `auto`.",
    )
    blend_weight: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Weight of the model in `blend`, in the last stage; unset: 0.7 for bi-encoders (best of the "
        "weights tried on NFCorpus and SciFact), 1.0 for cross-encoders.",
    )
    score_policy: ScorePolicy = Field(
        "replace",
        description="`replace` writes scores that fall down the page: the window in (1, 2), the rest in (0, 1). "
        "`keep` leaves the engine's.",
    )
    min_last_word_letters: int = Field(
        2,
        ge=0,
        le=10,
        description="A search passes through as autocompletion where its last word has fewer letters, all of them "
        "small: with 2, `wireless h` does, `vitamin C`, `iphone 5` and `駅` don't. 0 reranks them all.",
    )
    promote: bool = Field(
        default=False,
        description="Let a user's words that stand in filter context alone, as those typed in KQL do, rank as well: "
        "the engine is asked for the hits that match them best. The same hits match.",
    )
    sort_override: bool = Field(
        default=False,
        description="Rerank searches that are sorted by a field as well. Clients that page by `search_after`, or show "
        "that hits are sorted, then show something else than they say.",
    )
    rescore: RescorePolicy = Field(
        "skip",
        description="What happens to a search whose hits the engine rescores itself: `skip` passes it through, "
        "`rerank` reranks those that were rescored.",
    )
    long_documents: LongDocuments = Field(
        "truncate",
        description="What a model reads of a text that is longer than it reads at once: `truncate` its beginning, "
        "`best_passage` passages of whole sentences, of which the best gives the text its score (MaxP, Dai and Callan "
        "2019), `highlight` the fragments that the engine's own highlighter finds. Models that read 8K tokens seldom "
        "meet such a text; passages cost a shorter one its time for each.",
    )
    passages_per_document: int = Field(
        10,
        ge=1,
        le=100,
        description="With `best_passage`, so many passages of a text are read at most, from its beginning. 10 is what "
        "Cohere's first rerankers took (`max_chunks_per_doc`), and what holds the 20,000 characters of "
        "`max_text_chars` for a model that reads 512 tokens.",
    )
    exact_fields: Names = Field(
        (),
        description="Fields such as `sku`, `title` or `_id`: a hit in the window where one of them is the query text "
        "(but for case, white space and Unicode's ways to write a sign) stays on top, in first-stage order.",
    )
    keep_top: KeepTopConfig | None = Field(
        None,
        description="`3/10` lets none of the first stage's best 3 hits fall below rank 10. In a file also "
        "`{first: 3, within: 10}`.",
    )
    boost_weight: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the first stage in the order of searches that raise documents by more than words "
        "(`function_score`, `script_score`, `rank_feature`, `distance_feature`, `boosting`): a blend, as with "
        "`blend_weight`, in every stage. 0 leaves such searches to the `ranking`.",
    )
    indices: tuple[IndexConfig, ...] = Field((), description="What is wanted otherwise, per index pattern.")

    score_timeout_s: float | None = Field(
        None,
        gt=0,
        description="Seconds that scoring may add to one search; then a scored prefix of the window or the engine's "
        "own order is used. Unset: 1 on a GPU, 3 on a CPU.",
    )
    queue_limit_pairs: int = Field(
        10_000,
        ge=1,
        description="Texts that may wait to be scored, over all searches; a search that does not fit gets the "
        "engine's own order. 10,000 is a hundred searches of 100 hits: more could not be scored in time.",
    )
    batch_tokens: int | None = Field(
        None,
        ge=256,
        description="Tokens that are scored in one batch; a deadline is honoured between batches. Unset: found when "
        "the model is loaded, from the device's memory and speed.",
    )

    upstream_username: str | None = Field(None, description="Basic credentials for requests that carry none.")
    upstream_password: str | None = Field(None, repr=False, description="Goes with `upstream_username`.")
    upstream_api_key: str | None = Field(
        None, repr=False, description="Sent as `Authorization: ApiKey ...` with requests that carry no credentials."
    )
    upstream_ca_file: Path | None = Field(
        None, description="PEM file of the certificate authority that signed the engine's certificate."
    )
    upstream_connect_timeout_s: float = Field(
        5.0, gt=0, description="Seconds to open a connection to the engine; then the next address is tried, or 504."
    )
    upstream_read_timeout_s: float = Field(
        3_600.0,
        gt=0,
        description="Seconds of silence on an engine's connection before 504. Long, since a synchronous reindex or "
        "force merge is silent; clients that leave end their request at once.",
    )
    upstream_retry_after_s: float = Field(
        10.0,
        gt=0,
        description="Seconds for which an address that could not be reached, or was silent for too long, is left out.",
    )
    upstream_connections: int = Field(
        1_000, ge=1, description="Connections to the engine at most, over all addresses; further requests wait."
    )

    id_secret: str | None = Field(
        None,
        min_length=16,
        repr=False,
        description="Signs the ids of searches that run on their own (`_async_search`), in which what is known of them "
        "travels: 32 random characters, the same for all bridges that share clients. Unset: a random one at each "
        "start, so that ids end with the process.",
    )

    max_search_body_bytes: int = Field(
        1 * MIB, ge=1, description="A larger search body passes through unread; real ones are a few KiB."
    )
    max_search_reply_bytes: int = Field(
        64 * MIB,
        ge=1,
        description="A larger reply to a widened search is dropped, and the search passed through as it came.",
    )
    max_text_chars: int = Field(
        20_000, ge=1, description="Characters of one hit's text that are kept: what an 8K-token model can read of it."
    )
    capture: Path | None = Field(
        None,
        description="Folder that searches are kept in as clients send them, to be replayed: bodies and paths, no "
        "header fields; readable by its owner alone. Works with `mode: off` too. Unset: none is kept.",
    )
    capture_share: float = Field(1.0, gt=0.0, le=1.0, description="Share of the searches that `capture` keeps.")
    capture_max_mib: int = Field(
        256, ge=1, description="Size of the `capture` folder in MiB, compressed; the oldest searches go first."
    )
    shutdown_timeout_s: float = Field(
        30.0, ge=0, description="Seconds that exchanges under way have to end after a stop signal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level logged.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON for collectors.")

    @field_validator("upstream", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("upstream")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one address is needed")
        for address in value:
            check_address(address)
        return value

    @field_validator("listen", "published_address")
    @classmethod
    def _check_listen(cls, value: str | None) -> str | None:
        if value is not None:
            split_listen(value)
        return value

    @field_validator("upstream_ca_file")
    @classmethod
    def _check_ca_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no such file: {value}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Config:
        """One check for all that concerns several settings: pydantic ends at the first that fails."""
        mistakes = (
            (
                self.queue_limit_pairs
                < max(own.window * own.scoring.texts_of_a_hit for own in self.reached().values()),
                "queue_limit_pairs must hold one window at least, with all passages of its texts",
            ),
            (
                (self.upstream_username is None) != (self.upstream_password is None),
                "upstream_username and upstream_password go together",
            ),
            (
                self.upstream_username is not None and self.upstream_api_key is not None,
                "give either upstream_username or upstream_api_key",
            ),
            (
                self.is_administered_openly,
                f"admin_token is needed where admin_listen is not on a loopback address, as {self.admin_listen} is not",
            ),
        )
        problems = [problem for is_made, problem in mistakes if is_made]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def model_text(self) -> str:
        """The models as they are written in one line, each once."""
        return ", ".join(dict.fromkeys(scoring.model_text for scoring in self.scorings().values()))

    @property
    def scoring(self) -> ScoringConfig:
        """How the hits of a search are scored."""
        passages = self.passages_per_document if self.long_documents == "best_passage" else None
        return ScoringConfig(self.model, self.ranking, self.blend_weight, self.score_timeout_s, passages)

    def scorings(self) -> dict[str, ScoringConfig]:
        """All ways to score that a search may need, by the names that policies give them; none where all is off."""
        return {str(own.scoring): own.scoring for own in self.reached().values() if own.mode != "off"}

    def reached(self) -> dict[str, Config]:
        """The settings of all indices, as ``""``, where any have no pattern, and of each pattern that has a turn."""
        found: dict[str, Config] = {}
        for entry in self.indices:
            found.setdefault(entry.pattern, self._with(entry))
            if entry.pattern == "*":
                return found
        return {"": self, **found}

    def _with(self, entry: IndexConfig | None) -> Config:
        """The settings where those of an index win; a bridge that is off stays off."""
        own = {name: getattr(entry, name) for name in _OWN} if entry is not None else {}
        own = {name: value for name, value in own.items() if value is not None and (name, self.mode) != ("mode", "off")}
        return self.model_copy(update=own) if own else self

    def _entry(self, indices: tuple[str, ...]) -> IndexConfig | None:
        return next((entry for entry in self.indices if _matches(entry.pattern, indices)), None)

    def rollout(self, indices: tuple[str, ...]) -> Rollout:
        """How far reranking is rolled out for a search that names these indices."""
        own = self._with(self._entry(indices))
        share = own.share if own.share is not None else USUAL_SHARE.get(own.mode, 1.0)
        return Rollout(own.mode, 1.0 if own.mode == "on" else share, own.share_header)

    def policy(self, indices: tuple[str, ...]) -> Policy:
        """What is wanted for a search that names these indices: the first pattern that matches any."""
        wanted = self._entry(indices)
        own = self._with(wanted)
        return Policy(
            is_on=own.mode != "off",
            pattern=wanted.pattern if wanted else "",
            scoring=str(own.scoring),
            window=own.window,
            text_fields=tuple(TextField(f.name, f.label, f.max_chars) for f in wanted.text_fields) if wanted else (),
            instruction=own.instruction,
            score_policy=own.score_policy,
            query_pointer=wanted.query_pointer if wanted else "",
            query_text=wanted.query_text if wanted else "",
            min_last_word_letters=own.min_last_word_letters,
            promote=own.promote,
            sort_override=own.sort_override,
            rescore=own.rescore,
            long_documents=own.long_documents,
            exact_fields=own.exact_fields,
            keep_top=KeepTop(own.keep_top.first, own.keep_top.within) if own.keep_top is not None else None,
            boost_weight=own.boost_weight,
            max_text_chars=own.max_text_chars,
            max_body_bytes=own.max_search_body_bytes,
            max_reply_bytes=own.max_search_reply_bytes,
        )


_OWN = tuple(name for name in IndexConfig.model_fields if name in Config.model_fields)
"""Settings that an index may have for itself."""


def _matches(pattern: str, indices: tuple[str, ...]) -> bool:
    """Whether a pattern is meant by any name that is searched; a search of everything goes by ``_all``."""
    names = ["_all" if name == "*" else name for name in indices if not name.startswith("-")]
    return any(fnmatchcase(name, pattern) for name in names or ("_all",))
