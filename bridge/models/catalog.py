"""The model behind a name. Nothing here imports torch before a model is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bridge.errors import ModelLoadError
from bridge.models.base import Model
from bridge.models.classifier_folder import read_object
from bridge.models.entries import ARCHITECTURES, ENTRIES, CausalSpec, Spec

EMBEDDED = "embedded"
HUB_IDS = tuple(ENTRIES)
CACHE_BYTES = 256 << 20
"""For the document vectors of a bi-encoder: the default of the configuration's model_cache_mib."""

PACKAGES = ("torch", "transformers", "safetensors", "tokenizers", "huggingface_hub")
FETCHED_FILES = ("*.json", "*.safetensors")
LEFT_FILES = ("[!0-9]*/*",)
"""Other formats, in folders of their own. Those of modules begin with their number."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # as torch says it of a GPU and of the host


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be loaded, and how."""

    name: str
    folder: Path
    spec: Spec
    device: str
    precision: str
    long_context: bool


def load(
    name: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    cache_bytes: int = CACHE_BYTES,
    long_context: bool = False,
) -> Model:
    """The loaded model: ``embedded``, one of ``HUB_IDS``, or a local folder of one of ``ARCHITECTURES``.

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``precision`` is ``float32``, ``bfloat16``, ``int8`` (CPU),
    or ``auto``: bfloat16 on CUDA, and on CPUs with instructions for it int8 for the embedded model and bfloat16 for
    causal ones, else float32. ``cache_bytes`` bounds the document vectors that a bi-encoder keeps; ``long_context``
    reads as much of a text as the model can, where that is more than its default.
    Takes seconds, and minutes where a hub id is fetched for the first time.
    Raises ``ModelLoadError``, which says what to do.
    """
    _check_name(name)
    _check_packages()
    try:
        return _loaded(name, device, precision, cache_bytes, long_context=long_context)
    except RuntimeError as error:  # torch's OutOfMemoryError is one; torch is not imported here
        if not any(sign in str(error) for sign in _OUT_OF_MEMORY):
            raise
        raise ModelLoadError(
            f"{name} does not fit into the memory of the device ({device}): give a smaller model or another device"
        ) from error


def _loaded(name: str, device: str, precision: str, cache_bytes: int, *, long_context: bool) -> Model:
    if name == EMBEDDED:
        return _load_embedded(device, precision, cache_bytes)
    folder = _fetch(name) if name in ENTRIES else Path(name)
    spec = _spec(name, folder)
    shown = name if name in ENTRIES else folder.resolve().name
    return _load_cross_encoder(_Job(shown, folder, spec, device, precision, long_context))


def estimated_max(name: str) -> float | None:
    """What normalised scores are reckoned with: they are ``sigmoid(score - estimated_max / 2)``.

    None where neither the model's card nor its package knows it. Raises ``ModelLoadError`` for an unknown name.
    """
    _check_name(name)
    if name == EMBEDDED:
        return None
    return (ENTRIES[name] if name in ENTRIES else _spec(name, Path(name))).estimated_max


def _check_name(name: str) -> None:
    if name != EMBEDDED and name not in ENTRIES and not (name and Path(name).is_dir()):
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
        folder = snapshot_download(hub_id, allow_patterns=list(FETCHED_FILES), ignore_patterns=list(LEFT_FILES))
    except (OSError, ValueError) as error:
        problem = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelLoadError(
            f"{hub_id} could not be fetched: the hub could not be reached or refused ({problem}). "
            "Try again, or fetch the model elsewhere and give its local folder instead of its name"
        ) from error
    return Path(folder)


def _load_embedded(device: str, precision: str, cache_bytes: int) -> Model:
    from bridge.models.device import pick_device  # noqa: PLC0415  # imports torch
    from bridge.models.precision import pick_precision  # noqa: PLC0415  # imports torch

    runs_on = pick_device(device)
    picked = pick_precision(precision, runs_on, on_cpu="int8")
    from bridge.models.embedded import EmbeddedModel, packaged_folder  # noqa: PLC0415  # imports torch

    return EmbeddedModel(packaged_folder(), runs_on, cache_bytes=cache_bytes, precision=picked)


def _load_cross_encoder(job: _Job) -> Model:
    from bridge.models.device import pick_device  # noqa: PLC0415  # imports torch
    from bridge.models.precision import pick_precision  # noqa: PLC0415  # imports torch

    device = pick_device(job.device)
    if isinstance(job.spec, CausalSpec):
        precision = pick_precision(job.precision, device, on_cpu="bfloat16")  # as such models are published
        from bridge.models.causal import CausalReranker  # noqa: PLC0415  # imports torch

        return CausalReranker(
            job.name, job.folder, device, job.spec, precision=precision, long_context=job.long_context
        )
    from bridge.models.classifier import ClassifierReranker  # noqa: PLC0415  # imports torch

    precision = pick_precision(job.precision, device, on_cpu="float32")
    return ClassifierReranker(
        job.name, job.folder, device, job.spec, precision=precision, long_context=job.long_context
    )


def _spec(name: str, folder: Path) -> Spec:
    """The entry of the name, or that of the folder's architecture, which has to be one that can be run."""
    config = read_object(folder / "config.json")
    model_type, architectures = config.get("model_type"), config.get("architectures")
    classes = ARCHITECTURES.get(str(model_type))
    if classes is None or (architectures is not None and architectures != [_wanted(folder, *classes[:2])]):
        known = ", ".join(architecture for architecture, *_ in ARCHITECTURES.values())
        raise ModelLoadError(
            f"{folder} holds a model of another architecture ({architectures or model_type}): can be loaded are {known}"
        )
    spec = ENTRIES.get(name, classes[2])
    if type(spec) is not type(classes[2]):
        raise ModelLoadError(f"{folder} holds a model of another architecture ({model_type}) than {name} has")
    return spec


def _wanted(folder: Path, whole: str, encoder: str) -> str:
    """The class that the folder's configuration names: that of the encoder alone where the head is in other modules."""
    try:
        modules = json.loads((folder / "modules.json").read_bytes())
    except (OSError, ValueError):
        return whole  # none, or broken, which is said when it is loaded
    return encoder if encoder and isinstance(modules, list) and len(modules) > 1 else whole
