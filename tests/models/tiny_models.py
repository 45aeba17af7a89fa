"""Models of the true architectures, small and random, with their own tokenizers.

The configurations are written as on the hub, which is as transformers 4 writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_MARKERS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
DEBERTA_MARKERS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")

TRAINING_TEXTS = (
    "You are a search relevance expert who evaluates how well documents match search queries.",
    "query: how do I read a file line by line? document: open returns an iterator over the lines of a file",
    "statins and breast cancer: a cohort of women who took statins for 10 years, 1 in 100",
    "system user assistant instruction relevance judgment binary carefully analyze the semantic relationship",
    "les œufs coûtent chers; Ärzte prüfen die Größe; числа и слова; 検索エンジン; محرك البحث; εργαλείο; 🙂",
)

QWEN2: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": 520,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
    "rope_theta": 1_000_000.0,
    "rms_norm_eps": 1e-06,
    "hidden_act": "silu",
    "use_sliding_window": False,
    "tie_word_embeddings": True,
    "initializer_range": 0.15,
    "torch_dtype": "float32",
}
QWEN3: dict[str, Any] = QWEN2 | {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "head_dim": 16,
    "attention_bias": False,
}
QWEN3_TEXTS = (*TRAINING_TEXTS, *("yes yes no no",) * 10)
"""So that both answers are tokens."""
DEBERTA: dict[str, Any] = {
    "architectures": ["DebertaV2ForSequenceClassification"],
    "model_type": "deberta-v2",
    "id2label": {"0": "LABEL_0"},
    "label2id": {"LABEL_0": 0},
    "vocab_size": 320,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "max_position_embeddings": 512,
    "relative_attention": True,
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
    "pooler_hidden_size": 48,
    "pooler_hidden_act": "gelu",
    "pooler_dropout": 0,
    "pad_token_id": 0,
    "initializer_range": 0.15,
    "torch_dtype": "float32",
}


def make_qwen2(folder: Path, **changes: Any) -> Path:
    config = QWEN2 | changes
    torch.manual_seed(4)
    weights = Qwen2ForCausalLM(Qwen2Config(**config)).state_dict()
    if config["tie_word_embeddings"]:
        del weights["lm_head.weight"]
    tokenizer_config = {"tokenizer_class": "Qwen2Tokenizer", "model_max_length": 32_768, "pad_token": "<|endoftext|>"}
    return write_model(folder, config, weights, qwen2_tokenizer(), tokenizer_config)


def make_qwen3(folder: Path, **changes: Any) -> Path:
    config = QWEN3 | changes
    torch.manual_seed(4)
    weights = Qwen3ForCausalLM(Qwen3Config(**config)).state_dict()
    if config["tie_word_embeddings"]:
        del weights["lm_head.weight"]
    tokenizer_config = {"tokenizer_class": "Qwen2Tokenizer", "model_max_length": 32_768, "pad_token": "<|endoftext|>"}
    return write_model(folder, config, weights, qwen2_tokenizer(QWEN3_TEXTS), tokenizer_config)


def make_deberta(folder: Path, **changes: Any) -> Path:
    config = DEBERTA | changes
    torch.manual_seed(4)
    weights = DebertaV2ForSequenceClassification(DebertaV2Config(**config)).state_dict()
    weights["classifier.weight"] *= 7  # so that probabilities spread over (0, 1)
    tokenizer_config = {
        "tokenizer_class": "DebertaV2Tokenizer",
        "model_max_length": 512,
        "do_lower_case": False,
        **dict(zip(("pad_token", "cls_token", "sep_token", "unk_token", "mask_token"), DEBERTA_MARKERS, strict=True)),
    }
    return write_model(folder, config, weights, deberta_tokenizer(), tokenizer_config)


def qwen2_tokenizer(texts: tuple[str, ...] = TRAINING_TEXTS) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=500, special_tokens=list(QWEN2_MARKERS), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def deberta_tokenizer() -> Tokenizer:
    """A Unigram tokenizer whose file has a normalizer (NFKC, lower case) that transformers 5 would drop."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=300, special_tokens=list(DEBERTA_MARKERS), unk_token="[UNK]", show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING_TEXTS, trainer)
    ends = [(marker, tokenizer.token_to_id(marker)) for marker in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    tokenizer: Tokenizer,
    tokenizer_config: Mapping[str, Any],
) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_weights(folder, weights)
    return folder


def save_weights(folder: Path, weights: Mapping[str, torch.Tensor]) -> None:
    # Numbers that bfloat16 holds, as published weights are: half precision then differs by its arithmetic alone.
    contiguous = {name: values.bfloat16().float().contiguous() for name, values in weights.items()}
    save_file(contiguous, folder / "model.safetensors", metadata={"format": "pt"})
