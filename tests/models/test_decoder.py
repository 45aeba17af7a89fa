"""The packed decoder against transformers' own, on small weights of the true architectures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bridge.errors import ModelLoadError
from bridge.models.checkpoint import Checkpoint
from bridge.models.decoder import PackedDecoder, Shape
from bridge.models.precision import linear_kind
from tests.models.tiny_models import QWEN2, make_qwen2, make_qwen3

SHARED = ([3, 1, 4, 1, 5], [9, 2])
OWN = [[6], [5, 3, 5], list(range(40)), [8, 9], list(range(100, 190))]
BELONGS_TO = (0, 1, 0, 0, 1)


@pytest.fixture(scope="module", params=["qwen2", "qwen2 untied", "qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("decoder") / "model"
    if request.param == "qwen3":
        return make_qwen3(place)
    return make_qwen2(place, tie_word_embeddings=request.param == "qwen2")


def decoder(folder: Path, dtype: torch.dtype = torch.float32) -> PackedDecoder:
    config = json.loads((folder / "config.json").read_text())
    return PackedDecoder(Checkpoint(folder, torch.device("cpu"), dtype), Shape.read(config), linear_kind("float32"))


def expected(folder: Path, whole: Sequence[Sequence[int]]) -> torch.Tensor:
    """The last hidden state of each sequence, read alone by transformers."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        return torch.stack([model.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1] for ids in whole])


def test_states_behind_a_shared_prefix_equal_those_of_whole_texts(folder: Path) -> None:
    """Texts of several searches, short and long, in one pack: as if each had been read alone from its start."""
    model = decoder(folder)
    prefixes = model.prefixes(SHARED)
    states = model.last_states(OWN, [prefixes[search] for search in BELONGS_TO])
    whole = [[*SHARED[search], *own] for search, own in zip(BELONGS_TO, OWN, strict=True)]
    assert torch.allclose(states, expected(folder, whole), rtol=0, atol=1e-5)


def test_states_without_a_prefix_are_the_same(folder: Path) -> None:
    """Texts that share nothing need no prefix."""
    states = decoder(folder).last_states(OWN, [None] * len(OWN))
    assert torch.allclose(states, expected(folder, OWN), rtol=0, atol=1e-5)


def test_a_prefix_that_is_longer_than_its_texts_is_attended_to_as_well(folder: Path) -> None:
    """A long instruction before short titles takes another way through attention, to the same states."""
    model = decoder(folder)
    shared = [number * 7 % 500 for number in range(64)]
    states = model.last_states(OWN[:2], model.prefixes([shared]) * 2)
    assert torch.allclose(states, expected(folder, [[*shared, *own] for own in OWN[:2]]), rtol=0, atol=1e-5)


def test_half_precision_stays_near(folder: Path) -> None:
    """In bfloat16, states differ from the exact ones by what eight bits leave over."""
    model = decoder(folder, torch.bfloat16)
    states = model.last_states(OWN, [None] * len(OWN)).float()
    assert torch.nn.functional.cosine_similarity(states, expected(folder, OWN)).min() > 0.999


VARIANTS: list[tuple[dict[str, Any], str]] = [
    ({"use_sliding_window": True}, "use_sliding_window"),
    ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_type yarn"),
    ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e6}}, "rope_type dynamic"),
    ({"hidden_act": "gelu"}, "hidden_act gelu"),
    ({"hidden_size": "wide"}, "not a qwen2's"),
    ({"num_hidden_layers": None}, "not a qwen2's"),
]


@pytest.mark.parametrize(("change", "said"), VARIANTS)
def test_what_would_be_computed_wrongly_is_refused(change: dict[str, Any], said: str) -> None:
    """A variant of the architecture that is not built here is an error at load, never another score."""
    with pytest.raises(ModelLoadError, match=said):
        Shape.read(QWEN2 | change)


def test_both_spellings_of_the_rotation_are_read() -> None:
    """Versions 4 and 5 of transformers write the base of the rotary positions in different places."""
    new = {key: value for key, value in QWEN2.items() if key != "rope_theta"}
    parameters = {"rope_type": "default", "rope_theta": 1_000_000.0}
    assert Shape.read(new | {"rope_parameters": parameters}) == Shape.read(QWEN2)
