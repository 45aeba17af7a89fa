"""Weights from files: whole, in the wanted format, and nothing that would have to be unpickled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import Checkpoint

CPU = torch.device("cpu")


def folder_with(folder: Path, **tensors: torch.Tensor) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_tensors_come_in_the_wanted_format(tmp_path: Path) -> None:
    """What is stored in one number format is computed in another."""
    checkpoint = Checkpoint(folder_with(tmp_path, a=torch.ones(2, 3)), CPU, torch.bfloat16)
    assert torch.equal(checkpoint.take("a", (2, 3)), torch.ones(2, 3, dtype=torch.bfloat16))
    assert "a" in checkpoint
    assert "b" not in checkpoint
    assert checkpoint.taken_bytes == 12


def test_one_row_is_taken_without_the_others(tmp_path: Path) -> None:
    """Of a vocabulary's worth of rows two are needed; the rest is neither kept nor judged."""
    rows = torch.tensor([[1.0, 2.0], [torch.nan, 0.0], [3.0, 4.0]])
    checkpoint = Checkpoint(folder_with(tmp_path, head=rows), CPU, torch.float32)
    assert checkpoint.take_row("head", 2, (3, 2)).tolist() == [3.0, 4.0]
    assert checkpoint.taken_bytes == 8


def test_weights_in_several_files_are_found_by_the_index(tmp_path: Path) -> None:
    """Large models are published in shards."""
    save_file({"a": torch.ones(1)}, tmp_path / "model-1.safetensors")
    save_file({"b": torch.zeros(1)}, tmp_path / "model-2.safetensors")
    places = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    checkpoint = Checkpoint(tmp_path, CPU, torch.float32)
    assert [checkpoint.take(name, (1,)).item() for name in "ab"] == [1.0, 0.0]


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_broken_index_is_told(content: str, tmp_path: Path) -> None:
    """The file that is broken is named."""
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ModelLoadError, match=r"index\.json can't be read"):
        Checkpoint(tmp_path, CPU, torch.float32)


def test_what_is_not_whole_is_told_by_name(tmp_path: Path) -> None:
    """Missing, misshapen and infinite weights name themselves."""
    checkpoint = Checkpoint(folder_with(tmp_path, a=torch.tensor([1.0, torch.inf])), CPU, torch.float32)
    with pytest.raises(ModelLoadError, match="lacks the weight b"):
        checkpoint.take("b", (1,))
    with pytest.raises(ModelLoadError, match=r"a in another shape: \[2\] instead of \[3\]"):
        checkpoint.take("a", (3,))
    with pytest.raises(ModelLoadError, match="infinite weights in a"):
        checkpoint.take("a", (2,))


@pytest.mark.parametrize("content", [b"", b"\xff" * 64])
def test_a_broken_file_is_told(content: bytes, tmp_path: Path) -> None:
    """A download that broke off is no model."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelLoadError, match="can't be loaded"):
        Checkpoint(tmp_path, CPU, torch.float32)


def test_the_digest_tells_folders_apart(tmp_path: Path) -> None:
    """Two fine-tunes of one architecture have weights of the same names and sizes, and other scores."""
    one = folder_with(tmp_path / "one", a=torch.zeros(1))
    two = folder_with(tmp_path / "two", a=torch.ones(1))
    digests = [Checkpoint(folder, CPU, torch.float32).digest for folder in (one, two, one)]
    assert digests[0] == digests[2] != digests[1]
