from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from bridge.errors import ModelLoadError
from bridge.models.classifier_folder import ClassifierFolder
from bridge.models.entries import ARCHITECTURES
from bridge.models.modular_head import ModularHead
from bridge.models.packed_attention import attend
from bridge.models.packed_encoder import PackedEncoder
from bridge.models.precision import linear_kind
from tests.models.tiny_encoders import MAKERS, SMALL, make_modernbert, make_modular

CPU = torch.device("cpu")
LENGTHS = (1, 5, 96, 30, 5, 5, 64, 2)
LONG = (700, 3, 520)
"""For the family whose local layers see less than a text."""


def sequences(lengths: Sequence[int], seed: int) -> list[list[int]]:
    made = random.Random(seed)
    return [[made.randrange(SMALL["vocab_size"]) for _ in range(length)] for length in lengths]


def one_at_a_time(folder: Path, texts: Sequence[Sequence[int]], first: Sequence[int]) -> list[float]:
    """The logits of transformers itself, without any packing or padding."""
    model_type = ClassifierFolder.read(folder).config["model_type"]
    model: Any = getattr(transformers, ARCHITECTURES[model_type][0]).from_pretrained(folder)
    logits = []
    for ids, own in zip(texts, first, strict=True):
        segments = torch.tensor([[0] * own + [1] * (len(ids) - own)])
        extra = {"token_type_ids": segments} if model_type == "bert" else {}
        with torch.inference_mode():
            logits.append(model(input_ids=torch.tensor([ids]), **extra).logits.item())
    return logits


def packed(folder: Path, *, pools_mean: bool = False) -> PackedEncoder:
    architecture = ARCHITECTURES[ClassifierFolder.read(folder).config["model_type"]][0]
    return PackedEncoder(folder, architecture, CPU, torch.float32, linear_kind("float32"), pools_mean=pools_mean)


@pytest.mark.parametrize("family", MAKERS)
def test_logits_equal_those_of_transformers_for_one_sequence_at_a_time(family: str, tmp_path: Path) -> None:
    """Packed into one row, each sequence has the logit that it has alone, paddings in the text included."""
    folder = MAKERS[family](tmp_path / family)
    texts = sequences(LENGTHS + (LONG if family == "modernbert" else ()), seed=1)
    first = [max(1, len(ids) // 3) for ids in texts]
    expected = one_at_a_time(folder, texts, first)
    assert packed(folder).logits(texts, first).tolist() == pytest.approx(expected, rel=0, abs=1e-5)
    assert max(expected) - min(expected) > 0.1


def test_a_local_last_layer_is_whole(tmp_path: Path) -> None:
    """Where the last layer sees its surroundings alone, the first token's state is still that of transformers."""
    folder = make_modernbert(tmp_path / "local", num_hidden_layers=3)
    texts = sequences(LENGTHS + LONG, seed=5)
    first = [1] * len(texts)
    expected = one_at_a_time(folder, texts, first)
    assert packed(folder).logits(texts, first).tolist() == pytest.approx(expected, rel=0, abs=1e-5)


def test_a_mean_is_taken_over_each_sequence_alone(tmp_path: Path) -> None:
    """Where the configuration pools by the mean, no token of a neighbour is in it."""
    folder = make_modernbert(tmp_path / "mean", classifier_pooling="mean")
    texts = sequences(LENGTHS + LONG, seed=2)
    first = [1] * len(texts)
    expected = one_at_a_time(folder, texts, first)
    assert packed(folder, pools_mean=True).logits(texts, first).tolist() == pytest.approx(expected, rel=0, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=12), window=st.none() | st.integers(1, 40))
def test_attention_is_each_sequence_s_own(lengths: list[int], window: int | None) -> None:
    """A token attends to its own sequence, within the window if there is one, and to nothing beside it."""
    torch.manual_seed(3)
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 8)
    bounds = torch.nn.functional.pad(torch.tensor(lengths).cumsum(0), (1, 0)).to(torch.int32)
    attended, _ = attend(
        torch.nn.Identity(),
        query,
        key,
        value,
        None,
        cu_seq_lens_q=bounds,
        max_length_q=max(lengths),
        scaling=0.3,
        sliding_window=window,
    )
    owner = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    places = torch.arange(sum(lengths))
    sees = owner[:, None] == owner[None]
    if window is not None:
        sees &= (places[:, None] - places[None]).abs() < window
    scores = (query @ key.transpose(2, 3) * 0.3).masked_fill(~sees, -torch.inf)
    assert torch.allclose(attended.transpose(1, 2), scores.softmax(dim=-1) @ value, atol=1e-5)


def by_torch_modules(folder: Path, pooled: torch.Tensor) -> float:
    """The score of pooled states by torch's own modules, in the order of the ettin cards."""
    width = len(pooled)
    inner, norm, score = torch.nn.Linear(width, width, bias=False), torch.nn.LayerNorm(width), torch.nn.Linear(width, 1)
    for module, name in ((inner, "2_Dense"), (norm, "3_LayerNorm"), (score, "4_Dense")):
        saved = load_file(folder / name / "model.safetensors")
        module.load_state_dict({key.rpartition(".")[2]: values for key, values in saved.items()})
    with torch.inference_mode():
        return float(score(norm(torch.nn.functional.gelu(inner(pooled)))))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_head_in_modules_reads_what_it_pools(pooling: str, tmp_path: Path) -> None:
    """The score is that of the modules one after another on transformers' own states of one sequence."""
    folder = make_modular(tmp_path / "modular", pooling)
    body: Any = transformers.ModernBertModel.from_pretrained(folder)
    head = ModularHead(ClassifierFolder.read(folder).head, CPU, torch.float32)
    texts = sequences((5, 40, 5), seed=4)
    expected = []
    for ids in texts:
        with torch.inference_mode():
            states = body(input_ids=torch.tensor([ids])).last_hidden_state[0]
        expected.append(by_torch_modules(folder, states[0] if pooling == "cls" else states.mean(dim=0)))
    encoder = PackedEncoder(
        folder, "ModernBertModel", CPU, torch.float32, linear_kind("float32"), head=head, pools_mean=head.pools_mean
    )
    assert encoder.logits(texts, [1, 1, 1]).tolist() == pytest.approx(expected, rel=0, abs=1e-5)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("1_Pooling/config.json", '{"pooling_mode": "lasttoken"}', "does not pool by one of cls, mean"),
        ("2_Dense/config.json", '{"activation_function": "torch.nn.Mish"}', "Mish, which is not known"),
        ("2_Dense/config.json", '{"use_residual": true}', "has a residual"),
        ("3_LayerNorm/config.json", "{}", "has no number as dimension"),
        ("3_LayerNorm/config.json", '{"dimension": 3}', "in another shape"),
        ("4_Dense/config.json", '{"out_features": 2}', "don't end in one score"),
        ("modules.json", "[{}]", "a list of modules with type and path is expected"),
        ("modules.json", "[]", "does not begin with the encoder"),
    ],
)
def test_a_broken_module_is_refused_with_what_is_wrong(file: str, content: str, said: str, tmp_path: Path) -> None:
    """Modules that would be run otherwise than they were trained are not run at all."""
    folder = make_modular(tmp_path / "broken")
    (folder / file).write_text(content)
    with pytest.raises(ModelLoadError, match=said):
        ModularHead(ClassifierFolder.read(folder).head, CPU, torch.float32)
