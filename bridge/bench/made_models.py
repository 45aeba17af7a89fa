"""Folders with models of the true architectures whose weights are random: same arithmetic, meaningless scores.

A tokenizer is trained beside them on the benchmark's own texts, since none can be had without a hub; texts then have
about as many tokens as with the published one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from torch import Tensor
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, Qwen2Config, Qwen2ForCausalLM

from bridge.bench.shapes import Shape

VOCABULARY = 30_000
TRAINING_CHARS = 6_000_000
"""What the tokenizers are trained on at most: seconds."""
SPREAD = {"v1": 0.05, "v2": 0.04}
"""Standard deviation of the weights: with the usual 0.02, all scores are alike."""
_SEED = 4
_FORMAT = 4  # of what is written here: a change makes the folders anew
_PUBLISHED = {"v1": torch.float16, "v2": torch.bfloat16}
_CLASSES = {"v1": (DebertaV2Config, DebertaV2ForSequenceClassification), "v2": (Qwen2Config, Qwen2ForCausalLM)}
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2_MARKERS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_DEBERTA_MARKERS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")


def make_model(cache: Path, name: str, shape: Shape, texts: Sequence[str]) -> Path:
    """The folder of the model, made where it is not there yet; a minute at most but for the largest.

    Its name ends in a digest of what it is made of, so that runs with other texts do not take it from each other.
    """
    folder = cache / "models" / f"{name}-{_stamp(shape, texts)}"
    if not folder.is_dir():
        scratch = folder.with_suffix(".part")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        _write(scratch, shape, texts)
        scratch.rename(folder)
    return folder


def _stamp(shape: Shape, texts: Sequence[str]) -> str:
    digest = hashlib.blake2b(repr((_FORMAT, VOCABULARY, SPREAD, shape.config)).encode(), digest_size=6)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _write(folder: Path, shape: Shape, texts: Sequence[str]) -> None:
    tokenizer = _bpe(texts) if shape.family == "v2" else _unigram(texts)
    tokenizer.save(str(folder / "tokenizer.json"))
    markers = _QWEN2_MARKERS if shape.family == "v2" else _DEBERTA_MARKERS
    # The library's plain class reads the file as it is, in every version.
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": markers[0]}
    settings |= {"model_max_length": 32_768 if shape.family == "v2" else 512}
    if shape.family == "v1":
        settings |= dict(zip(("cls_token", "sep_token", "unk_token", "mask_token"), markers[1:], strict=True))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps(shape.config))
    save_file(_weights(shape), folder / "model.safetensors", metadata={"format": "pt"})


def _weights(shape: Shape) -> dict[str, Tensor]:
    config, model = _CLASSES[shape.family]
    with torch.device("meta"):
        empty = model(config(**shape.config)).state_dict()
    generator = torch.Generator().manual_seed(_SEED)
    return {
        name: _fill(name, tensor.shape, SPREAD[shape.family], generator).to(_PUBLISHED[shape.family])
        for name, tensor in empty.items()
        if not (name == "lm_head.weight" and shape.config.get("tie_word_embeddings"))
    }


def _fill(name: str, size: torch.Size, spread: float, generator: torch.Generator) -> Tensor:
    values = torch.randn(size, generator=generator) * spread
    if name == "classifier.weight":
        return values * 10  # so that probabilities spread over (0, 1)
    return values + 1 if "norm" in name.lower() and name.endswith("weight") else values


def _sample(texts: Sequence[str]) -> list[str]:
    """Every n-th text, so that all kinds are there and no more than ``TRAINING_CHARS``."""
    step = max(1, -(-sum(map(len, texts)) // TRAINING_CHARS))
    return list(texts[::step])


def _bpe(texts: Sequence[str]) -> Tokenizer:
    """Byte-level pieces, split as Qwen2's tokenizer splits."""
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_QWEN2_SPLIT), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(_QWEN2_MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(texts), trainer)
    return tokenizer


def _unigram(texts: Sequence[str]) -> Tokenizer:
    """Pieces behind a mark for spaces, as in DeBERTa-v3's tokenizer."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=list(_DEBERTA_MARKERS), unk_token=_DEBERTA_MARKERS[3], show_progress=False
    )
    tokenizer.train_from_iterator(_sample(texts), trainer)
    ends = [(marker, tokenizer.token_to_id(marker)) for marker in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer
