"""What a classifier's folder says of itself, read as sentence-transformers' CrossEncoder reads it. No tensors here.

Source: sentence-transformers 6.2, ``cross_encoder/model.py`` (activation), ``base/modules/transformer.py`` (length),
``base/model.py`` (modules).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import ModelLoadError
from bridge.models.entries import Activation

_ACTIVATIONS: dict[str, Activation] = {"Identity": "none", "Sigmoid": "sigmoid"}
_COUNTED_FROM_PADDING = ("roberta", "xlm-roberta")
_WITH_SEGMENTS = ("bert", "deberta-v2")
_DEFAULT_LABELS = 2  # of a transformers configuration that says nothing


@dataclass(frozen=True, slots=True)
class ModulePart:
    """One module of a model that sentence-transformers saved in parts."""

    kind: str
    folder: Path
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClassifierFolder:
    """The settings of a folder. ``read`` raises ``ModelLoadError`` where they are broken or of no reranker."""

    config: dict[str, Any]
    activation: Activation
    max_tokens: int
    """What its tokenizer was saved with, as far as the model has positions."""
    positions: int
    """The longest sequence that it has positions for."""
    has_segments: bool
    """Whether the model is told where the document begins."""
    head: tuple[ModulePart, ...]
    """The modules behind the encoder; empty where the encoder classifies by itself."""

    @classmethod
    def read(cls, folder: Path) -> ClassifierFolder:
        """The settings in the folder's JSON files."""
        config = read_object(folder / "config.json")
        tokenizer = _read_if_there(folder / "tokenizer_config.json")
        parts = _modules(folder)
        try:
            positions = _positions(config)
            limit = parts[0].settings.get("max_seq_length") if parts else None
            limit = limit or tokenizer.get("model_max_length") or positions
            if not parts[1:] and (labels := _labels(config)) != 1:
                raise ModelLoadError(f"{folder} is a classifier of {labels} labels: a reranker has one")
            return cls(
                config=config,
                activation=_activation(folder, config, saved_in_parts=bool(parts)),
                max_tokens=min(int(limit), positions),
                positions=positions,
                has_segments=_has_segments(config, tokenizer),
                head=parts[1:],
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ModelLoadError(f"the JSON files in {folder} can't be read: {error!r}") from error


def read_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a model. Raises ``ModelLoadError`` where there is none."""
    if not file.is_file():
        raise ModelLoadError(f"{file.parent} has no {file.name}: give the folder that holds a model's files")
    content = _read(file)
    if not isinstance(content, dict):
        raise ModelLoadError(f"{file} can't be read: an object is expected")
    return content


def _read_if_there(file: Path) -> dict[str, Any]:
    return read_object(file) if file.is_file() else {}


def _read(file: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{file} can't be read: {error}") from error


def _modules(folder: Path) -> tuple[ModulePart, ...]:
    """The parts of ``modules.json``, the encoder first; none where the folder is one model of transformers."""
    file = folder / "modules.json"
    if not file.is_file():
        return ()
    try:
        entries = [(str(entry["type"]).rpartition(".")[2], folder / entry["path"]) for entry in _read(file)]
    except (KeyError, TypeError) as error:
        raise ModelLoadError(f"{file} can't be read: a list of modules with type and path is expected") from error
    if not entries or entries[0] != ("Transformer", folder):
        raise ModelLoadError(f"{file} does not begin with the encoder in {folder}, which is all that can be loaded")
    encoder = ModulePart("Transformer", folder, _read_if_there(folder / "sentence_bert_config.json"))
    return (encoder, *(ModulePart(kind, part, _read_if_there(part / "config.json")) for kind, part in entries[1:]))


def _activation(folder: Path, config: dict[str, Any], *, saved_in_parts: bool) -> Activation:
    saved = _read_if_there(folder / "config_sentence_transformers.json") if saved_in_parts else {}
    path = (
        saved.get("activation_fn")
        or (config.get("sentence_transformers") or {}).get("activation_fn")
        or config.get("sbert_ce_default_activation_function")
    )
    if path is None or not path.startswith("torch."):  # what is not torch's own, CrossEncoder does not take either
        return "sigmoid"
    name = path.rpartition(".")[2]
    if name not in _ACTIVATIONS:
        raise ModelLoadError(f"{folder} passes scores through {name}: known are {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def _positions(config: dict[str, Any]) -> int:
    positions = int(config["max_position_embeddings"])
    if config["model_type"] in _COUNTED_FROM_PADDING:
        return positions - int(config.get("pad_token_id", 1)) - 1
    return positions


def _labels(config: dict[str, Any]) -> int:
    return len(config["id2label"]) if config.get("id2label") else int(config.get("num_labels", _DEFAULT_LABELS))


def _has_segments(config: dict[str, Any], tokenizer: dict[str, Any]) -> bool:
    inputs = tokenizer.get("model_input_names")
    return config["model_type"] in _WITH_SEGMENTS and (not inputs or "token_type_ids" in inputs)
