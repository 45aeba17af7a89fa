"""Floating-point operations that a search needs at least: what is counted as useful in a share of the device's peak.

A product of ``(m, k)`` and ``(k, n)`` is ``2 * m * k * n`` operations; everything else is left out. What is counted had
to be computed: what the texts of a search share goes through the model once, in the last layer only the position that
is scored asks, and of a language model's head there are two rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEAD_ROWS = 2  # of yes and no


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one text as a model reads it, in tokens."""

    shared: int
    """Before the text, the same for all texts of a search; 0 where a model can't share it."""
    own: int


def useful_flops(config: Mapping[str, Any], sizes: Sequence[Sizes]) -> int:
    """Of the texts of one search, by the model's ``config.json``. Raises ``KeyError`` for an unknown ``model_type``."""
    return _COUNTS[config["model_type"]](config, sizes)


def _decoder(config: Mapping[str, Any], sizes: Sequence[Sizes]) -> int:
    """Qwen2 and Qwen3: grouped heads, a gated feed-forward part, causal attention."""
    shared = sizes[0].shared if sizes else 0
    prefix = _decoder_layers(config, before=0, tokens=shared, asking=0)
    return prefix + sum(_decoder_layers(config, before=shared, tokens=size.own, asking=1) for size in sizes)


def _decoder_layers(config: Mapping[str, Any], *, before: int, tokens: int, asking: int) -> int:
    """All layers for ``tokens`` behind ``before`` others that are known; the last ``asking`` of them are scored."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    known = 2 * width * 2 * config["num_key_value_heads"] * head  # keys and values of one token
    asked = 2 * 2 * width * heads * head + 3 * 2 * width * config["intermediate_size"]  # the rest of one token's layer
    seen = 2 * 2 * heads * head  # scores of one key, and its value
    inner = tokens * (known + asked) + seen * _sum_of_seen(before, tokens)
    last = tokens * known + asking * (asked + seen * (before + tokens) + 2 * HEAD_ROWS * width)
    return int((config["num_hidden_layers"] - 1) * inner + last)


def _sum_of_seen(before: int, tokens: int) -> int:
    """Keys that causal attention reads over ``tokens`` behind ``before`` others."""
    return tokens * before + tokens * (tokens + 1) // 2


def _encoder(config: Mapping[str, Any], sizes: Sequence[Sizes], *, score_products: int, head: int) -> int:
    """An encoder whose first token is read out; ``head`` operations follow on it."""
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    known, asked = 2 * 2 * width * width, 2 * 2 * width * width + 2 * 2 * width * config["intermediate_size"]
    seen = (score_products + 1) * 2 * width  # each kind of score of one key, and its value
    total = 0
    for size in sizes:
        tokens = size.shared + size.own
        inner = tokens * (known + asked) + tokens * tokens * seen
        total += (layers - 1) * inner + tokens * known + asked + tokens * seen + head
    return total


def _deberta(config: Mapping[str, Any], sizes: Sequence[Sizes]) -> int:
    """DeBERTa-v2: three kinds of scores; a pooler and one label. Products of positions don't depend on the input."""
    width = config["hidden_size"]
    return _encoder(config, sizes, score_products=3, head=2 * width * width + 2 * width)


def _bert(config: Mapping[str, Any], sizes: Sequence[Sizes]) -> int:
    """BERT as an embedder: the mean of all tokens is read out, so that the last layer is whole."""
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    token = 4 * 2 * width * width + 2 * 2 * width * config["intermediate_size"]
    lengths = [size.shared + size.own for size in sizes]
    return int(sum(layers * (length * token + length * length * 4 * width) for length in lengths))


_COUNTS = {"qwen2": _decoder, "qwen3": _decoder, "deberta-v2": _deberta, "bert": _bert}
