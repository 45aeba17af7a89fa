"""What is counted as useful arithmetic, held against counts that are made product by product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bridge.bench.arithmetic import Sizes, useful_flops
from bridge.bench.shapes import SHAPES

QWEN2: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
DEBERTA: dict[str, Any] = QWEN2 | {"model_type": "deberta-v2"}


def product(rows: int, inner: int, columns: int) -> int:
    return 2 * rows * inner * columns


def decoder_token(seen: int) -> tuple[int, int]:
    """Of one token that sees ``seen`` tokens, itself among them: keys and values, and all the rest of a layer."""
    known = product(1, 8, 4) + product(1, 8, 4)
    queries_and_out = product(1, 8, 8) + product(1, 8, 8)
    feed_forward = product(1, 8, 12) + product(1, 8, 12) + product(1, 12, 8)
    attention = 4 * (product(1, 2, seen) + product(1, seen, 2))
    return known, queries_and_out + feed_forward + attention


def decoder_by_hand(shared: int, own: Sequence[int]) -> int:
    total = 0
    for first, last, is_scored in ((0, shared, False), *((shared, shared + length, True) for length in own)):
        for place in range(first, last):
            known, rest = decoder_token(place + 1)
            asks_last = is_scored and place == last - 1
            total += 3 * known + 2 * rest + (rest + product(1, 8, 2) if asks_last else 0)
    return total


@pytest.mark.parametrize(("shared", "own"), [(0, [5]), (4, [3]), (4, [1, 7, 2])])
def test_a_decoder_is_counted_token_by_token(shared: int, own: list[int]) -> None:
    """What texts share counts once, the last layer for the scored token alone, the head for two rows."""
    sizes = [Sizes(shared, length) for length in own]
    assert useful_flops(QWEN2, sizes) == decoder_by_hand(shared, own)


def test_heads_may_have_a_width_of_their_own() -> None:
    """A configuration that names the width of a head is counted by it, as Qwen3 has it."""
    same = useful_flops(QWEN2 | {"model_type": "qwen3", "head_dim": 2}, [Sizes(3, 4)])
    wider = useful_flops(QWEN2 | {"model_type": "qwen3", "head_dim": 4}, [Sizes(3, 4)])
    assert same == useful_flops(QWEN2, [Sizes(3, 4)])
    assert wider > same


def test_deberta_is_counted_with_its_three_scores() -> None:
    """Content, c2p and p2c scores of each pair of tokens; in the last layer the first token alone asks."""
    length = 5
    token = 4 * product(1, 8, 8) + product(1, 8, 12) + product(1, 12, 8)
    seen = 4 * product(1, 8, 1)
    inner = 2 * (length * token + length * length * seen)
    last = length * 2 * product(1, 8, 8) + (token - 2 * product(1, 8, 8)) + length * seen
    assert useful_flops(DEBERTA, [Sizes(2, 3)]) == inner + last + product(1, 8, 8) + product(1, 8, 1)


def test_an_embedder_is_counted_whole() -> None:
    """The mean of all tokens is read, so that no layer is cut; its texts share nothing."""
    token = 4 * product(1, 8, 8) + 2 * product(1, 8, 12)
    expected = 3 * (7 * token + 2 * product(7, 8, 7))
    assert useful_flops(QWEN2 | {"model_type": "bert"}, [Sizes(0, 7)]) == expected


def test_the_published_sizes_come_out() -> None:
    """base-v2 has 0.36 billion weights in its layers, so that a token takes 0.72 billion operations, and attention."""
    flops = useful_flops(SHAPES["base-v2"].config, [Sizes(0, 1_000)])
    assert 0.68e12 < flops < 0.74e12


def test_an_unknown_architecture_is_no_zero() -> None:
    """What can't be counted is an error rather than a wrong share."""
    with pytest.raises(KeyError):
        useful_flops({"model_type": "mamba"}, [Sizes(0, 1)])
