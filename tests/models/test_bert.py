from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from bridge.errors import ModelLoadError
from bridge.models.bert import Bert
from bridge.models.checkpoint import Checkpoint
from bridge.models.linears import Int8Linear, Linear, has_fast_int8
from bridge.models.precision import LinearKind

CONFIG: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.15,
}
LENGTHS = (2, 3, 3, 3, 17, 200, 512, 512, 512, 200, 200, 1)
"""One piece alone and several together, runs of one length and lengths that come back."""
SEQUENCES = [[random.Random(length).randrange(300) for _ in range(length)] for length in LENGTHS]
needs_int8 = pytest.mark.skipif(not has_fast_int8(), reason="this CPU has no products of bytes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    made = tmp_path_factory.mktemp("models") / "tiny-bert-encoder"
    BertModel(BertConfig(**CONFIG)).save_pretrained(made)
    return made


def opened(folder: Path, *, dtype: torch.dtype = torch.float32, linear: LinearKind = Linear) -> Bert:
    config = json.loads((folder / "config.json").read_bytes())
    return Bert(Checkpoint(folder, torch.device("cpu"), dtype), config, linear=linear)


def expected(folder: Path, sequences: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """What transformers computes for each sequence alone."""
    model = BertModel(BertConfig(**CONFIG)).train(mode=False)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([ids])).last_hidden_state[0] for ids in sequences]


def test_states_are_those_of_transformers(folder: Path) -> None:
    """Sequences of all lengths at once get the hidden states that transformers gives to each alone, and their means."""
    wanted = expected(folder, SEQUENCES)
    model = opened(folder)
    torch.testing.assert_close(model.states(SEQUENCES), torch.cat(wanted), rtol=0, atol=1e-5)
    means = torch.stack([own.mean(dim=0) for own in wanted])
    torch.testing.assert_close(model.mean_states(SEQUENCES), means, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "linear", "least"),
    [
        (torch.bfloat16, Linear, 0.999),
        pytest.param(torch.float32, Int8Linear, 0.99, marks=needs_int8),
    ],
)
def test_other_formats_come_close(folder: Path, dtype: torch.dtype, linear: LinearKind, least: float) -> None:
    """In bfloat16 and in bytes, each sequence's mean points where it does in float32; what comes back is float32."""
    found = opened(folder, dtype=dtype, linear=linear).mean_states(SEQUENCES)
    wanted = torch.stack([own.mean(dim=0) for own in expected(folder, SEQUENCES)])
    assert found.dtype == torch.float32
    assert float(torch.cosine_similarity(found, wanted).min()) > least


@pytest.mark.parametrize("linear", [Linear, pytest.param(Int8Linear, marks=needs_int8)])
def test_neighbours_change_nothing(folder: Path, linear: LinearKind) -> None:
    """A sequence's mean is the same alone and among others, in whichever order."""
    model = opened(folder, linear=linear)
    together = model.mean_states(SEQUENCES)
    torch.testing.assert_close(model.mean_states(SEQUENCES[::-1]), together.flip(0), rtol=0, atol=1e-5)
    for ids, own in zip(SEQUENCES, together, strict=True):
        torch.testing.assert_close(model.mean_states([ids])[0], own, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hidden_act": "relu"}, "hidden_act"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder"),
        ({"num_attention_heads": 5}, "can't share"),
        ({"num_attention_heads": 0}, "can't share"),
        ({"hidden_size": "wide"}, "no sound configuration"),
        ({"vocab_size": None}, "no sound configuration"),
        ({"vocab_size": 299}, "another shape"),
        ({"num_hidden_layers": 4}, "lacks the weight"),
    ],
)
def test_another_kind_of_model_is_refused(folder: Path, change: dict[str, Any], problem: str) -> None:
    """A configuration that can't be run, or whose weights are not there, is an error that says which."""
    with pytest.raises(ModelLoadError, match=problem):
        Bert(Checkpoint(folder, torch.device("cpu"), torch.float32), CONFIG | change)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda weights: weights.pop("encoder.layer.1.output.dense.bias"), "lacks the weight"),
        (lambda weights: weights["embeddings.LayerNorm.weight"].fill_(float("nan")), "NaN"),
    ],
)
def test_weights_that_are_not_whole_are_refused(
    folder: Path, tmp_path: Path, spoil: Callable[[dict[str, torch.Tensor]], object], problem: str
) -> None:
    """A lacking weight and one that is no number are named when the model is loaded."""
    weights = load_file(folder / "model.safetensors")
    spoil(weights)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match=problem):
        Bert(Checkpoint(tmp_path, torch.device("cpu"), torch.float32), CONFIG)
