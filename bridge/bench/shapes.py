"""The published models' architectures, so that weights made at random cost exactly what the published ones cost.

Source: ``config.json`` of mixedbread-ai/mxbai-rerank-* on the hub; v2 is fine-tuned from Qwen/Qwen2.5-0.5B and
Qwen/Qwen2.5-1.5B, v1 from microsoft/deberta-v3-xsmall, -base and -large, whose shapes these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Family = Literal["v1", "v2"]

_QWEN2: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": 151_936,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
    "rope_theta": 1_000_000.0,
    "rms_norm_eps": 1e-06,
    "hidden_act": "silu",
    "use_sliding_window": False,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "torch_dtype": "bfloat16",
}
_DEBERTA: dict[str, Any] = {
    "architectures": ["DebertaV2ForSequenceClassification"],
    "model_type": "deberta-v2",
    "id2label": {"0": "LABEL_0"},
    "label2id": {"LABEL_0": 0},
    "vocab_size": 128_100,
    "max_position_embeddings": 512,
    "relative_attention": True,
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-07,
    "hidden_act": "gelu",
    "pooler_hidden_act": "gelu",
    "pooler_dropout": 0,
    "pad_token_id": 0,
    "torch_dtype": "float16",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One model's architecture."""

    family: Family
    hub_id: str
    layers: int
    width: int
    inner: int
    heads: int

    @property
    def config(self) -> dict[str, Any]:
        """The content of its ``config.json``."""
        own = {
            "hidden_size": self.width,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
        }
        if self.family == "v1":
            return _DEBERTA | own | {"pooler_hidden_size": self.width}
        return _QWEN2 | own


SHAPES = {
    "base-v2": Shape("v2", "mixedbread-ai/mxbai-rerank-base-v2", layers=24, width=896, inner=4_864, heads=14),
    "large-v2": Shape("v2", "mixedbread-ai/mxbai-rerank-large-v2", layers=28, width=1_536, inner=8_960, heads=12),
    "xsmall-v1": Shape("v1", "mixedbread-ai/mxbai-rerank-xsmall-v1", layers=12, width=384, inner=1_536, heads=6),
    "base-v1": Shape("v1", "mixedbread-ai/mxbai-rerank-base-v1", layers=12, width=768, inner=3_072, heads=12),
    "large-v1": Shape("v1", "mixedbread-ai/mxbai-rerank-large-v1", layers=24, width=1_024, inner=4_096, heads=16),
}
"""By the names that ``scripts/bench models --models`` takes."""
