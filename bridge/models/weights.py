"""A folder's weights in a model of transformers: safetensors only, nothing missing, every number finite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import check_finite


def load_weights(
    architecture: Any,  # noqa: ANN401  # any model class of transformers; they share no typed way to load
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> Any:  # noqa: ANN401  # the architecture's instance
    """The model on its device, ready to score; ``architecture`` is a model class of transformers.

    Code in the folder never runs: the class is given, and files that would have to be unpickled are not read.
    Raises ``ModelLoadError`` where the weights are not whole.
    """
    try:
        with _quiet():
            model, report = architecture.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that they are reported below, by name
            )
        model = model.to(device).eval()
    except Exception as error:  # whatever a broken file makes transformers raise, the user gets one line
        raise ModelLoadError(f"{folder} can't be loaded: {first_line(error)}") from error
    _check_report(folder, report)
    for name, values in model.named_parameters():
        check_finite(folder, name, values)
    return model


def _check_report(folder: Path, report: dict[str, Any]) -> None:
    lacking = sorted({*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])})
    if lacking:
        raise ModelLoadError(
            f"{folder} lacks {len(lacking)} weights, or has them in another shape: {', '.join(lacking[:3])}... "
            "Fetch the model again, or give the folder of a model that was trained as a reranker"
        )


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its class where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' reports and progress bars from standard error: what matters in them is raised."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
