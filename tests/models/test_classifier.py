from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bridge.errors import ModelLoadError
from bridge.models.base import Model
from bridge.models.catalog import load
from bridge.models.classifier import ClassifierReranker
from bridge.models.classifier_folder import ClassifierFolder
from bridge.models.entries import ARCHITECTURES, ClassifierSpec
from tests.models.tiny_encoders import MAKERS, make_bert, make_modernbert, make_modular
from tests.models.tiny_models import make_deberta

FAMILIES: dict[str, Callable[..., Path]] = {**MAKERS, "deberta-v2": make_deberta}
LONG = "statins and breast cancer " * 60
QUERIES = ("how do I read a file?", "", "числа и слова 🙂", "[SEP] in </s> the text", LONG)
TEXTS = ("", "open returns an iterator over the lines of a file", "x", "\n", "\ud800 lone", LONG, LONG + "x")
WITH_SEGMENTS = {"bert", "deberta-v2"}
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp("classifiers") / request.param)


def scores(model: Model, query: str, *texts: str) -> list[float]:
    return model.score(model.read(query, texts))


def reference_logits(folder: Path, max_tokens: int, pairs: list[tuple[str, str]]) -> list[float]:
    """By transformers and the folder's own tokenizer, which cuts and joins the texts itself, one pair at a time."""
    model_type = ClassifierFolder.read(folder).config["model_type"]
    model: Any = getattr(transformers, ARCHITECTURES[model_type][0]).from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)
    logits = []
    for query, text in pairs:
        pair = tokenizer.encode(query, text.replace("\ud800", "\ufffd"))
        extra = {"token_type_ids": torch.tensor([pair.type_ids])} if model_type in WITH_SEGMENTS else {}
        with torch.inference_mode():
            logits.append(model(input_ids=torch.tensor([pair.ids]), **extra).logits.item())
    return logits


def test_scores_equal_those_of_transformers_for_one_pair_at_a_time(folder: Path) -> None:
    """Cut, joined, packed and scored with all others, each pair has the score of transformers for it alone."""
    model = load(str(folder), device="cpu")
    pairs = [(query, text) for query in QUERIES for text in TEXTS]
    logits = reference_logits(folder, model.max_tokens, pairs)
    passes_sigmoid = ClassifierFolder.read(folder).activation == "sigmoid"
    expected = [1 / (1 + math.exp(-logit)) if passes_sigmoid else logit for logit in logits]
    read = [tokens for query in QUERIES for tokens in model.read(query, TEXTS)]
    assert model.score(read) == pytest.approx(expected, rel=0, abs=1e-5)
    assert max(expected) - min(expected) > 0.05


def test_what_a_model_says_of_itself(folder: Path) -> None:
    """Costs are the tokens that are computed; limits, memory and formats are told."""
    model = load(str(folder), device="cpu")
    read = model.read("how do I read a file?", TEXTS)
    assert all(tokens.shared == () and 0 < tokens.cost <= model.max_tokens for tokens in read)
    assert max(tokens.cost for tokens in read) == model.max_tokens
    assert (model.name, model.kind, model.device, model.precision) == (folder.name, "cross-encoder", "cpu", "float32")
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    # DeBERTa keeps what it projects of its distances, too: more than the weights themselves in a model this small.
    most = 3 if folder.name == "deberta-v2" else 1.1
    assert 0.9 * weights < model.footprint.weights < most * weights
    assert model.footprint.activations > 0
    assert model.batch_tokens > 0
    assert scores(model, "a") == []


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=80), min_size=2, max_size=12))
def test_a_score_does_not_depend_on_its_neighbours(bert: Model, modular: Model, texts: list[str]) -> None:
    """A text has the same score alone and among others, by the encoder's own head and by one in modules."""
    for model in (bert, modular):
        alone = [scores(model, "file", text)[0] for text in texts]
        assert scores(model, "file", *texts) == pytest.approx(alone, rel=0, abs=1e-5)


def test_bfloat16_keeps_the_scores_within_its_precision(bert: Model, bert_folder: Path) -> None:
    """In half the memory, scores differ in the second decimal at most, and the revision tells the formats apart."""
    halved = load(str(bert_folder), device="cpu", precision="bfloat16")
    assert scores(halved, "file", *TEXTS) == pytest.approx(scores(bert, "file", *TEXTS), rel=0, abs=0.05)
    assert halved.footprint.weights < 0.6 * bert.footprint.weights
    assert (halved.precision, halved.revision != bert.revision) == ("bfloat16", True)


def test_a_revision_names_what_a_score_depends_on(bert: Model, bert_folder: Path, tmp_path: Path) -> None:
    """The same folder has the same revision; another activation, length or weight has another."""
    assert load(str(bert_folder), device="cpu").revision == bert.revision
    others = [
        ClassifierReranker("bert", bert_folder, CPU, spec, precision="float32").revision
        for spec in (ClassifierSpec(activation="sigmoid"), ClassifierSpec(max_tokens=40))
    ]
    others.append(load(str(make_bert(tmp_path / "other", initializer_range=0.1)), device="cpu").revision)
    assert len({bert.revision, *others}) == 4


def test_an_entry_decides_length_and_activation(bert_folder: Path) -> None:
    """What a card says goes before what the folder says; long context reads more where the entry knows more."""
    spec = ClassifierSpec(activation="sigmoid", max_tokens=40, long_context_tokens=5_000)
    short = ClassifierReranker("a", bert_folder, CPU, spec, precision="float32")
    long = ClassifierReranker("a", bert_folder, CPU, spec, precision="float32", long_context=True)
    assert (short.max_tokens, long.max_tokens) == (40, 96)
    assert all(0 < score < 1 for score in scores(short, "file", *TEXTS))


IDENTITY = "torch.nn.modules.linear.Identity"
SIGMOID = "torch.nn.modules.activation.Sigmoid"


@pytest.mark.parametrize(
    ("config", "saved", "activation"),
    [
        ({}, None, "sigmoid"),
        ({"sbert_ce_default_activation_function": IDENTITY}, None, "none"),
        ({"sentence_transformers": {"activation_fn": IDENTITY}}, None, "none"),
        (
            {"sentence_transformers": {"activation_fn": SIGMOID}, "sbert_ce_default_activation_function": IDENTITY},
            None,
            "sigmoid",
        ),
        ({"sentence_transformers": {"activation_fn": "own.code.Identity"}}, None, "sigmoid"),
        ({"sentence_transformers": {"activation_fn": SIGMOID}}, IDENTITY, "none"),
    ],
)
def test_the_activation_is_the_one_that_sentence_transformers_takes(
    config: dict[str, Any], saved: str | None, activation: str, tmp_path: Path
) -> None:
    """The newest setting goes first, code in the folder is not run, and one label without a setting is a sigmoid's."""
    folder = make_modernbert(tmp_path / "model", **config)
    if saved:
        modules = [{"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}]
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"activation_fn": saved}))
    assert ClassifierFolder.read(folder).activation == activation


def test_an_unknown_activation_is_refused(tmp_path: Path) -> None:
    """Scores that would be passed through something else are not given."""
    folder = make_bert(tmp_path / "model", sbert_ce_default_activation_function="torch.nn.modules.activation.Softmax")
    with pytest.raises(ModelLoadError, match="through Softmax: known are Identity, Sigmoid"):
        ClassifierFolder.read(folder)


def test_a_saved_length_goes_before_the_tokenizer_s(tmp_path: Path) -> None:
    """A model that was saved in parts is cut where its encoder's settings say."""
    folder = make_modular(tmp_path / "model")
    assert ClassifierFolder.read(folder).max_tokens == 700
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 300}')
    assert ClassifierFolder.read(folder).max_tokens == 300


def test_a_tokenizer_without_segments_is_believed(tmp_path: Path) -> None:
    """Where the tokenizer gives a model no segments, all of a pair is in the first."""
    folder = make_bert(tmp_path / "model")
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_input_names": ["input_ids", "attention_mask"]}))
    (tokens,) = load(str(folder), device="cpu").read("file", ["text"])
    assert tokens.first == len(tokens.own)
