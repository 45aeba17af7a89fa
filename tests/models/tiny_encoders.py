"""Encoders that classify, small and random, each with its family's own kind of tokenizer; and a head in modules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer

from tests.models.tiny_models import TRAINING_TEXTS, save_weights, write_model

SMALL: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "id2label": {"0": "LABEL_0"},
    "label2id": {"LABEL_0": 0},
    "initializer_range": 0.15,
    "torch_dtype": "float32",
}
BERT = SMALL | {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "max_position_embeddings": 96,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
}
ROBERTA = SMALL | {
    "architectures": ["RobertaForSequenceClassification"],
    "model_type": "roberta",
    "max_position_embeddings": 98,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
XLM_ROBERTA = ROBERTA | {"architectures": ["XLMRobertaForSequenceClassification"], "model_type": "xlm-roberta"}
MODERNBERT = SMALL | {
    "architectures": ["ModernBertForSequenceClassification"],
    "model_type": "modernbert",
    "num_hidden_layers": 4,
    "max_position_embeddings": 800,
    "local_attention": 16,
    "global_attn_every_n_layers": 3,
    "pad_token_id": 0,
    "cls_token_id": 1,
    "sep_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "classifier_pooling": "cls",
}
BERT_MARKERS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
ROBERTA_MARKERS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
MODERNBERT_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 700,
    "model_input_names": ["input_ids", "attention_mask"],
    "pad_token": "[PAD]",
}


def make_bert(folder: Path, **changes: Any) -> Path:
    return _make(folder, BERT | changes, word_pieces(), {"model_max_length": 80})


def make_roberta(folder: Path, **changes: Any) -> Path:
    return _make(folder, ROBERTA | changes, byte_pairs(), {"model_max_length": 96})


def make_xlm_roberta(folder: Path, **changes: Any) -> Path:
    return _make(folder, XLM_ROBERTA | changes, unigrams(), {"model_max_length": 512})  # more than it has positions for


def make_modernbert(folder: Path, **changes: Any) -> Path:
    return _make(folder, MODERNBERT | changes, modern_byte_pairs(), MODERNBERT_TOKENIZER)


MAKERS: dict[str, Callable[..., Path]] = {
    "bert": make_bert,
    "roberta": make_roberta,
    "xlm-roberta": make_xlm_roberta,
    "modernbert": make_modernbert,
}


def make_modular(folder: Path, pooling: str = "cls") -> Path:
    """An encoder and, in modules, what stands behind it: as the ettin rerankers are saved."""
    config = {name: value for name, value in MODERNBERT.items() if name not in {"id2label", "label2id"}}
    _make(folder, config | {"architectures": ["ModernBertModel"]}, modern_byte_pairs(), MODERNBERT_TOKENIZER)
    width = config["hidden_size"]
    torch.manual_seed(5)
    score_settings = {"in_features": width, "out_features": 1, "bias": True, "module_output_name": "scores"}
    modules: list[tuple[str, dict[str, Any], dict[str, torch.Tensor]]] = [
        ("1_Pooling", {"embedding_dimension": width, "pooling_mode": pooling, "include_prompt": True}, {}),
        (
            "2_Dense",
            {
                "in_features": width,
                "out_features": width,
                "bias": False,
                "activation_function": "torch.nn.modules.activation.GELU",
            },
            {"linear.weight": torch.randn(width, width) * 0.3},
        ),
        (
            "3_LayerNorm",
            {"dimension": width},
            {"norm.weight": torch.rand(width) + 0.5, "norm.bias": torch.randn(width)},
        ),
        (
            "4_Dense",
            score_settings | {"activation_function": "torch.nn.modules.linear.Identity"},
            {"linear.weight": torch.randn(1, width) * 0.3, "linear.bias": torch.randn(1)},
        ),
    ]
    for name, settings, weights in modules:
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(settings))
        if weights:
            save_weights(folder / name, weights)
    kinds = {
        "Transformer": "base.modules.transformer",
        "Pooling": "sentence_transformer.modules.pooling",
        "Dense": "base.modules.dense",
        "LayerNorm": "sentence_transformer.modules.layer_norm",
    }
    entries = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.{kinds[kind]}.{kind}"}
        for index, (path, kind) in enumerate(
            [("", "Transformer"), *((name, name.partition("_")[2]) for name, _, _ in modules)]
        )
    ]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"transformer_task": "feature-extraction"}))
    saved = {"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(saved))
    return folder


def _make(folder: Path, config: dict[str, Any], tokenizer: Tokenizer, tokenizer_config: dict[str, Any]) -> Path:
    architecture = getattr(transformers, config["architectures"][0])
    torch.manual_seed(4)
    weights = architecture(architecture.config_class(**config)).state_dict()
    return write_model(folder, config, weights, tokenizer, tokenizer_config)


def word_pieces() -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = WordPieceTrainer(vocab_size=300, special_tokens=list(BERT_MARKERS), show_progress=False)
    tokenizer.train_from_iterator(TRAINING_TEXTS, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def byte_pairs() -> Tokenizer:
    tokenizer = _byte_level(ROBERTA_MARKERS)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def modern_byte_pairs() -> Tokenizer:
    tokenizer = _byte_level(BERT_MARKERS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def unigrams() -> Tokenizer:
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=300, special_tokens=list(ROBERTA_MARKERS), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING_TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _byte_level(markers: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=310, special_tokens=list(markers), initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TRAINING_TEXTS, trainer)
    return tokenizer
