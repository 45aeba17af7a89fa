from __future__ import annotations

from pathlib import Path

import pytest

from bridge.models.base import Model
from bridge.models.catalog import load
from tests.clients.overlays import overlay
from tests.models.tiny_encoders import make_bert, make_modernbert, make_modular, make_xlm_roberta
from tests.models.tiny_models import make_deberta, make_qwen2, make_qwen3

REFERENCE = (
    "mxbai-rerank==0.1.6",
    "batched==0.1.5",
    "transformers==4.57.6",
    "tokenizers==0.22.2",
    "huggingface-hub==0.36.2",
    "requests",
    "urllib3",
    "charset-normalizer",
    "idna",
    "certifi",
)
"""The package that we must equal, with the transformers that it runs on; torch and numpy are our own."""


@pytest.fixture(scope="session")
def reference_overlay() -> Path:
    """The folder with the reference's packages: kept between runs, whole or absent."""
    return overlay(REFERENCE, "--no-deps")


@pytest.fixture(scope="session")
def qwen2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen2(tmp_path_factory.mktemp("models") / "tiny-qwen2")


@pytest.fixture(scope="session")
def short_qwen2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few positions, so that the prompt takes from the budget of the texts; and a head of its own."""
    folder = tmp_path_factory.mktemp("models") / "short-qwen2"
    return make_qwen2(folder, max_position_embeddings=500, tie_word_embeddings=False)


@pytest.fixture(scope="session")
def deberta_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_deberta(tmp_path_factory.mktemp("models") / "tiny-deberta")


@pytest.fixture(scope="session")
def embedded() -> Model:
    return load("embedded", device="cpu", cache_bytes=1 << 20)


@pytest.fixture(scope="session")
def qwen2(qwen2_folder: Path) -> Model:
    return load(str(qwen2_folder), device="cpu", cache_bytes=0)


@pytest.fixture(scope="session")
def deberta(deberta_folder: Path) -> Model:
    return load(str(deberta_folder), device="cpu", cache_bytes=0)


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(str(make_qwen3(tmp_path_factory.mktemp("models") / "tiny-qwen3")), device="cpu")


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def bert(bert_folder: Path) -> Model:
    return load(str(bert_folder), device="cpu")


@pytest.fixture(scope="session")
def xlm_roberta(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(str(make_xlm_roberta(tmp_path_factory.mktemp("models") / "tiny-xlm-roberta")), device="cpu")


@pytest.fixture(scope="session")
def modernbert(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(str(make_modernbert(tmp_path_factory.mktemp("models") / "tiny-modernbert")), device="cpu")


@pytest.fixture(scope="session")
def modular(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An encoder with its head in modules, as the ettin rerankers are."""
    return load(str(make_modular(tmp_path_factory.mktemp("models") / "tiny-modular")), device="cpu")
