from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import Checkpoint
from bridge.models.deberta import Deberta
from tests.models.tiny_models import DEBERTA, make_deberta, save_weights

LENGTHS = (2, 3, 17, 95, 96, 97, 128, 129, 200, 512, 600)
"""Around the blocks of the CPU, around the distance where buckets start, and beyond the model's positions."""

each_path = pytest.mark.parametrize("padded", [False, True], ids=["each", "padded"])


def sequences_of(lengths: Sequence[int]) -> list[list[int]]:
    chosen = random.Random(5)
    return [[chosen.randrange(DEBERTA["vocab_size"]) for _ in range(length)] for length in lengths]


def opened(folder: Path, *, padded: bool = False, dtype: torch.dtype = torch.float32) -> Deberta:
    config = json.loads((folder / "config.json").read_bytes())
    return Deberta(Checkpoint(folder, torch.device("cpu"), dtype), config, padded=padded)


def expected(folder: Path, sequences: Sequence[Sequence[int]], first: Sequence[int] = ()) -> torch.Tensor:
    """What transformers computes for each sequence alone."""
    config = json.loads((folder / "config.json").read_bytes())
    model = DebertaV2ForSequenceClassification(DebertaV2Config(**config)).train(mode=False)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    logits = []
    with torch.inference_mode():
        for index, sequence in enumerate(sequences):
            split = first[index] if first else len(sequence)
            segments = torch.tensor([[0] * split + [1] * (len(sequence) - split)])
            logits.append(model(input_ids=torch.tensor([sequence]), token_type_ids=segments).logits[0, 0])
    return torch.stack(logits)


def differences(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.dtype == torch.float32
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max())


@each_path
def test_logits_are_those_of_transformers(deberta_folder: Path, *, padded: bool) -> None:
    """Sequences of all lengths, scored at once, get the logits that transformers gives to each alone."""
    sequences = sequences_of(LENGTHS)
    found = opened(deberta_folder, padded=padded).logits(sequences, [0] * len(sequences))
    wanted = expected(deberta_folder, sequences)
    assert float(wanted.std()) > 1, "the logits are too much alike to tell a mistake"
    assert differences(found, wanted) < 1e-5


@each_path
@pytest.mark.parametrize(
    "changes",
    [
        {"position_buckets": 8, "max_position_embeddings": 40},
        {"position_buckets": 32, "max_relative_positions": 64},
        {"pos_att_type": "p2c|c2p", "layer_norm_eps": 1e-5},
        {"num_hidden_layers": 1},
        {"num_hidden_layers": 3, "hidden_size": 64, "pooler_hidden_size": 64, "num_attention_heads": 1},
    ],
    ids=["few buckets", "short distances", "hub's notation", "one layer", "one head"],
)
def test_configurations_are_followed(tmp_path: Path, changes: dict[str, Any], *, padded: bool) -> None:
    """Buckets, distances, layers and heads are those of the configuration."""
    folder = make_deberta(tmp_path / "model", **changes)
    sequences = sequences_of((2, 41, 130, 130))
    found = opened(folder, padded=padded).logits(sequences, [0] * len(sequences))
    assert differences(found, expected(folder, sequences)) < 1e-5


@each_path
def test_segments_are_told_apart(tmp_path: Path, *, padded: bool) -> None:
    """A model with segment embeddings adds those of the first and the second segment."""
    folder = make_deberta(tmp_path / "model", type_vocab_size=2)
    sequences, first = sequences_of((9, 30, 5)), [4, 30, 1]
    model = opened(folder, padded=padded)
    found = model.logits(sequences, first)
    assert differences(found, expected(folder, sequences, first)) < 1e-5
    assert differences(found, model.logits(sequences, [9, 1, 1])) > 1e-2


@each_path
def test_logits_do_not_depend_on_neighbours(deberta_folder: Path, *, padded: bool) -> None:
    """A sequence scored with others, in any order, gets the logit that it gets alone."""
    sequences = sequences_of((300, 2, 250, 270, 40, 31, 300, 33))
    model = opened(deberta_folder, padded=padded)
    alone = torch.cat([model.logits([sequence], [0]) for sequence in sequences])
    assert differences(model.logits(sequences, [0] * 8), alone) < 1e-5
    assert differences(model.logits(sequences[::-1], [0] * 8).flip(0), alone) < 1e-5


def test_threads_may_score_at_once(deberta_folder: Path) -> None:
    """Calls from several threads at the same time give what they give one after the other."""
    batches = [sequences_of(lengths) for lengths in ((200, 9), (130, 131, 132), (40,), (300, 2, 5))] * 3
    model = opened(deberta_folder)

    def logits(batch: list[list[int]]) -> list[float]:
        return model.logits(batch, [0] * len(batch)).tolist()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(logits, batches)) == [logits(batch) for batch in batches]


@each_path
def test_bfloat16_is_near_float32(tmp_path: Path, *, padded: bool) -> None:
    """In bfloat16 the logits are off by no more than a few of its steps, in either direction."""
    folder = make_deberta(tmp_path / "model", initializer_range=0.05)
    sequences = sequences_of(LENGTHS)
    found = opened(folder, padded=padded, dtype=torch.bfloat16).logits(sequences, [0] * len(sequences))
    wanted = expected(folder, sequences)
    assert differences(found, wanted) < 0.02 * float(wanted.abs().max())


def test_no_sequences_have_no_logits(deberta_folder: Path) -> None:
    """Nothing to score gives an empty tensor."""
    assert opened(deberta_folder).logits([], []).shape == (0,)


def test_vocabulary_is_that_of_the_embeddings(deberta_folder: Path) -> None:
    """The model says how many token ids it knows."""
    assert opened(deberta_folder).vocabulary == DEBERTA["vocab_size"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"relative_attention": False}, "relative_attention False"),
        ({"share_att_key": False}, "share_att_key False"),
        ({"position_biased_input": True}, "position_biased_input True"),
        ({"norm_rel_ebd": "none"}, "norm_rel_ebd 'none'"),
        ({"conv_kernel_size": 3}, "conv_kernel_size 3"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"pooler_hidden_act": "tanh"}, "pooler_hidden_act 'tanh'"),
        ({"pos_att_type": ["c2p"]}, r"pos_att_type \['c2p'\]"),
        ({"pos_att_type": None}, "pos_att_type None"),
        ({"attention_head_size": 64}, "attention_head_size 64"),
        ({"embedding_size": 24}, "embedding_size 24"),
        ({"pooler_hidden_size": 24}, "pooler_hidden_size 24"),
        ({"num_attention_heads": 5}, "5 attention heads"),
        ({"position_buckets": -1}, "position_buckets -1"),
        ({"type_vocab_size": 1}, "type_vocab_size 1"),
        ({"vocab_size": "many"}, "vocab_size 'many'"),
        ({"hidden_size": None}, "hidden_size None"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps 'small'"),
        ({"num_hidden_layers": 3}, "encoder.layer.2"),
        ({"intermediate_size": 65}, "another shape"),
    ],
)
def test_other_models_are_refused(deberta_folder: Path, changes: dict[str, Any], said: str) -> None:
    """What a configuration asks for and this model does not do is an error that names it."""
    checkpoint = Checkpoint(deberta_folder, torch.device("cpu"), torch.float32)
    with pytest.raises(ModelLoadError, match=said):
        Deberta(checkpoint, DEBERTA | changes)


@pytest.mark.parametrize("name", ["relative_attention", "share_att_key", "norm_rel_ebd", "position_biased_input"])
def test_absent_settings_mean_what_transformers_takes(deberta_folder: Path, name: str) -> None:
    """A configuration without one of these describes another model, and is refused."""
    checkpoint = Checkpoint(deberta_folder, torch.device("cpu"), torch.float32)
    with pytest.raises(ModelLoadError, match=name):
        Deberta(checkpoint, {key: value for key, value in DEBERTA.items() if key != name})


def test_classifiers_of_several_labels_are_refused(tmp_path: Path) -> None:
    """A head with another number of labels than one is no reranker's."""
    folder = make_deberta(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    save_weights(folder, weights | {"classifier.weight": torch.zeros(3, DEBERTA["hidden_size"])})
    with pytest.raises(ModelLoadError, match=r"classifier\.weight"):
        opened(folder)
