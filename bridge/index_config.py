"""The settings that indices may have for themselves, and the shapes that settings have in one line and in files."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bridge.headers import MAX_INSTRUCTION_CHARS
from bridge.operation_config import ModeSetting, Share
from connectors.base import LongDocuments, RescorePolicy, ScorePolicy
from connectors.configured_words import is_pointer, is_template

_STAGE = re.compile(r"(?P<name>.*?)(?::(?P<keep>\d+))?", re.DOTALL)
_AS_FOR_ALL = "As the setting of all indices; unset: that one."

Ranking = Literal["auto", "model", "blend", "rrf"]
Instruction = Annotated[str, Field(max_length=MAX_INSTRUCTION_CHARS)]


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names, in one line separated by commas."""


class StageConfig(BaseModel):
    """One model of those that score a window one after the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        min_length=1,
        description="`embedded`, a hub id such as `mixedbread-ai/mxbai-rerank-base-v2`, or a local folder.",
    )
    keep: int | None = Field(
        None, ge=2, description="Texts, the best of this stage, that the next one scores; not in the last stage."
    )

    def __str__(self) -> str:
        """As it is written in one line: ``embedded:30``."""
        return self.name if self.keep is None else f"{self.name}:{self.keep}"


def _split_stages(value: object) -> object:
    stages = _split(value)
    if not isinstance(stages, list | tuple):
        return stages
    return tuple(_stage(entry) if isinstance(entry, str) else entry for entry in stages)


def _stage(text: str) -> dict[str, object]:
    """``name`` or ``name:keep`` as the members of a stage."""
    match = _STAGE.fullmatch(text)
    return {} if match is None else {"name": match["name"], "keep": match["keep"]}


def _check_stages(value: tuple[StageConfig, ...]) -> tuple[StageConfig, ...]:
    unbounded = next((stage.name for stage in value[:-1] if stage.keep is None), None)
    if unbounded is not None:
        raise ValueError(f"say how many texts of {unbounded} the next model scores: {unbounded}:30")
    if value[-1].keep is not None:
        raise ValueError(f"{value[-1]} is the last stage, which keeps all: leave out the number, or add a model")
    if len({stage.name for stage in value}) < len(value):
        raise ValueError("each stage must have another model")
    return value


Stages = Annotated[
    tuple[StageConfig, ...], Field(min_length=1), BeforeValidator(_split_stages), AfterValidator(_check_stages)
]
"""Models in their order, in one line as ``embedded:30,FOLDER``."""


class ScoringConfig(NamedTuple):
    """A way to score; its text is a name for it."""

    model: tuple[StageConfig, ...]
    ranking: Ranking
    blend_weight: float | None
    timeout_s: float | None
    passages: int | None
    """Of a text that is longer than a model reads at once; None: its beginning alone."""

    @property
    def model_text(self) -> str:
        """The models as they are written in one line."""
        return ",".join(map(str, self.model))

    @property
    def texts_of_a_hit(self) -> int:
        """That may be scored, at most."""
        return self.passages or 1

    def __str__(self) -> str:
        """Everything that it is, what is unset left out."""
        own = zip(self._fields[1:], self[1:], strict=True)
        return " ".join([self.model_text, *(f"{name}={value}" for name, value in own if value not in (None, "auto"))])


class TextFieldConfig(BaseModel):
    """One field that the model reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Dotted path of the field; `*` matches any characters.")
    label: str = Field("", description="Written before the text, as `label: text`.")
    max_chars: int | None = Field(None, ge=1, description="Characters of the field that are read; unset reads all.")


class KeepTopConfig(BaseModel):
    """How far the first stage's best hits may fall."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=1, description="So many of the first stage's best hits are kept.")
    within: int = Field(ge=1, description="The lowest rank that they may fall to; at least as many.")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        first, separator, within = value.partition("/")
        if not separator:
            raise ValueError(f"{value!r} is not FIRST/WITHIN, such as 3/10")
        return {"first": first, "within": within}

    @model_validator(mode="after")
    def _check_room(self) -> KeepTopConfig:
        if self.within < self.first:
            raise ValueError(f"{self.first} hits don't fit within rank {self.within}")
        return self

    def __str__(self) -> str:
        """As it is written in one line: ``3/10``."""
        return f"{self.first}/{self.within}"


class IndexConfig(BaseModel):
    """What is wanted for the indices that match a pattern; the first match counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str = Field(min_length=1, description="Index name, alias or pattern with `*`, as searches name it.")
    mode: ModeSetting | None = Field(
        None, description="As the `mode` of all indices; unset: that one. Where that is `off`, all are."
    )
    share: Share | None = Field(None, description=_AS_FOR_ALL)
    text_fields: tuple[TextFieldConfig, ...] = Field(
        (), description="Fields that the model reads, in this order; unset: the fields that the query names."
    )
    instruction: Instruction | None = Field(None, description=_AS_FOR_ALL)
    model: Stages | None = Field(None, description=_AS_FOR_ALL)
    ranking: Ranking | None = Field(None, description=_AS_FOR_ALL)
    blend_weight: float | None = Field(None, ge=0.0, le=1.0, description=_AS_FOR_ALL)
    score_timeout_s: float | None = Field(None, gt=0, description=_AS_FOR_ALL)
    score_policy: ScorePolicy | None = Field(None, description=_AS_FOR_ALL)
    window: int | None = Field(None, ge=2, le=10_000, description=_AS_FOR_ALL)
    long_documents: LongDocuments | None = Field(None, description=_AS_FOR_ALL)
    passages_per_document: int | None = Field(None, ge=1, le=100, description=_AS_FOR_ALL)
    exact_fields: Names | None = Field(None, description=_AS_FOR_ALL)
    keep_top: KeepTopConfig | None = Field(None, description=_AS_FOR_ALL)
    boost_weight: float | None = Field(None, ge=0.0, le=1.0, description=_AS_FOR_ALL)
    min_last_word_letters: int | None = Field(None, ge=0, le=10, description=_AS_FOR_ALL)
    promote: bool | None = Field(None, description=_AS_FOR_ALL)
    sort_override: bool | None = Field(None, description=_AS_FOR_ALL)
    rescore: RescorePolicy | None = Field(None, description=_AS_FOR_ALL)
    query_pointer: str = Field(
        "",
        description="JSON pointer (RFC 6901) to the user's words in the search body, such as `/ext/words`; unset, or "
        "where it leads to no text: they are read from the query.",
    )
    query_text: str = Field(
        "",
        description="The words that the model reads in place of the user's, or a template for them, such as `{q} in "
        "{category}`. `{q}` are the words that were found; `{/params/city}`, with a slash, is a JSON pointer into the "
        "search body; any other name is a field, and stands for what a `term` or `terms` clause of the query asks of "
        "it. Where one of them has no value, the words stay as they were found.",
    )

    @field_validator("query_pointer")
    @classmethod
    def _check_pointer(cls, value: str) -> str:
        if value and not is_pointer(value):
            raise ValueError(f"{value!r} is not a JSON pointer: it begins with / and has ~0 for ~ and ~1 for /")
        return value

    @field_validator("query_text")
    @classmethod
    def _check_template(cls, value: str) -> str:
        if not is_template(value):
            raise ValueError(f"{value!r} has braces that stand around no name, or a pointer that can't be followed")
        return value
