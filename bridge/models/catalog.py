"""The model behind a name. Nothing here imports torch before a model is loaded."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from bridge.errors import ModelLoadError
from bridge.models.base import Model

EMBEDDED = "embedded"
HUB_IDS = (
    "mixedbread-ai/mxbai-rerank-large-v2",
    "mixedbread-ai/mxbai-rerank-base-v2",
    "mixedbread-ai/mxbai-rerank-large-v1",
    "mixedbread-ai/mxbai-rerank-base-v1",
    "mixedbread-ai/mxbai-rerank-xsmall-v1",
)

Family = Literal["mxbai-v1", "mxbai-v2"]
ARCHITECTURES: dict[str, tuple[str, Family]] = {
    "deberta-v2": ("DebertaV2ForSequenceClassification", "mxbai-v1"),
    "qwen2": ("Qwen2ForCausalLM", "mxbai-v2"),
}
"""``model_type`` of a config.json -> the entry of its ``architectures``, and the family that scores with it."""

PACKAGES = ("torch", "transformers", "safetensors", "tokenizers", "huggingface_hub")
FETCHED_FILES = ("*.json", "*.safetensors")


def load(name: str, *, device: str = "auto", cache_bytes: int) -> Model:
    """The loaded model: ``embedded``, one of ``HUB_IDS``, or a local folder of one of their architectures.

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``cache_bytes`` bounds the document vectors that a
    bi-encoder keeps. Takes seconds, and minutes where a hub id is fetched for the first time.
    Raises ``ModelLoadError``, which says what to do.
    """
    _check_name(name)
    _check_packages()
    if name == EMBEDDED:
        return _load_embedded(device, cache_bytes)
    folder = _fetch(name) if name in HUB_IDS else Path(name)
    return _load_cross_encoder(name if name in HUB_IDS else folder.resolve().name, folder, device)


def _check_name(name: str) -> None:
    if name != EMBEDDED and name not in HUB_IDS and not (name and Path(name).is_dir()):
        known = ", ".join((EMBEDDED, *HUB_IDS))
        raise ModelLoadError(f"unknown model {name!r}: give one of {known}, or a folder (there is none of that name)")


def _check_packages() -> None:
    lacking = [package for package in PACKAGES if find_spec(package) is None]
    if lacking:
        raise ModelLoadError(f"no {', '.join(lacking)} to run a model with: pip install 'rerank-bridge[models]'")


def _fetch(hub_id: str) -> Path:
    """The folder of a hub's model; nothing is fetched that the hub's cache on this machine has."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415  # only who names a hub id pays for the import

    try:
        # Only the root: some repositories carry other formats in folders.
        folder = snapshot_download(hub_id, allow_patterns=list(FETCHED_FILES), ignore_patterns=["*/*"])
    except (OSError, ValueError) as error:
        problem = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelLoadError(
            f"{hub_id} could not be fetched: the hub could not be reached or refused ({problem}). "
            "Try again, or fetch the model elsewhere and give its local folder instead of its name"
        ) from error
    return Path(folder)


def _load_embedded(device: str, cache_bytes: int) -> Model:
    from bridge.models.device import pick_device  # noqa: PLC0415  # imports torch
    from bridge.models.embedded import EmbeddedModel, packaged_folder  # noqa: PLC0415  # imports torch

    return EmbeddedModel(packaged_folder(), pick_device(device), cache_bytes=cache_bytes)


def _load_cross_encoder(name: str, folder: Path, device: str) -> Model:
    family = _family(folder)
    from bridge.models.device import pick_device  # noqa: PLC0415  # imports torch

    if family == "mxbai-v1":
        from bridge.models.mxbai_v1 import MxbaiV1  # noqa: PLC0415  # imports torch

        return MxbaiV1(name, folder, pick_device(device))
    from bridge.models.mxbai_v2 import MxbaiV2  # noqa: PLC0415  # imports torch

    return MxbaiV2(name, folder, pick_device(device))


def _family(folder: Path) -> Family:
    config = _read_config(folder / "config.json")
    model_type, architectures = config.get("model_type"), config.get("architectures")
    wanted, family = ARCHITECTURES.get(str(model_type), (None, None))
    if family is None or (architectures is not None and architectures != [wanted]):
        known = ", ".join(architecture for architecture, _ in ARCHITECTURES.values())
        raise ModelLoadError(
            f"{folder} holds a model of another architecture ({architectures or model_type}): can be loaded are {known}"
        )
    return family


def _read_config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ModelLoadError(f"{file.parent} has no config.json: give the folder that holds a model's files")
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{file} can't be read: {error}") from error
    if not isinstance(config, dict):
        raise ModelLoadError(f"{file} is not a model's configuration: an object is expected")
    return config
