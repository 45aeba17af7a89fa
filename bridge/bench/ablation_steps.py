"""One v2 model, scored with more and more of what makes the bridge fast, and with all but one of it.

The first steps are transformers' own classes, the later ones the bridge's own parts, put together differently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen2ForCausalLM

from bridge.bench.worker import BATCH
from bridge.models import catalog
from bridge.models.base import Tokens
from bridge.models.batches import Batches
from bridge.models.checkpoint import Checkpoint
from bridge.models.decoder import PackedDecoder, Shape
from bridge.models.linears import Activation, Linear
from bridge.models.tokens import encode, open_tokenizer

Step = Callable[[Sequence[Tokens]], Tensor]


class PlainLinear(Linear):
    """The product as torch has it, in float32, with weights as they are stored."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._plain = (weight, bias)

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """The product, activated: shape ``(rows, out)``; a decoder activates by SiLU alone."""
        product = functional.linear(x, *self._plain)
        return functional.silu(product) if activation == "silu" else product


class Steps:
    """A folder's model, loaded once for each way of running it. For the CPU, in float32."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._threads = threads
        self.model = catalog.load(str(folder), device="cpu", precision="float32")
        shape = Shape.read(json.loads((folder / "config.json").read_bytes()))
        checkpoint = Checkpoint(folder, torch.device("cpu"), torch.float32)
        self._plain = PackedDecoder(checkpoint, shape, PlainLinear)
        self._packed = PackedDecoder(checkpoint, shape, Linear)
        self._batches = Batches(torch.device("cpu"), token_bytes=shape.activation_bytes(torch.float32))
        self._whole: Any = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = open_tokenizer(folder, rows=shape.vocabulary)
        (self._yes,), (self._no,) = encode(tokenizer, ["1", "0"], special=False)
        head = self._whole.lm_head.weight
        self._direction: Tensor = (head[self._yes] - head[self._no]).detach()

    @property
    def added(self) -> Mapping[str, Step]:
        """Each with all that stands before it."""
        return {
            "padded, the head at every position": self._with_head,
            "two rows of the head at one position": lambda read: self._by_body(read, BATCH),
            "no padding": lambda read: self._by_body(read, 1),
            "packed, the last layer asks once": lambda read: self._unshared(self._plain, read),
            "what texts share once a search": lambda read: self._shared(self._plain, read),
            "weights laid out for oneDNN": lambda read: self._shared(self._packed, read),
            "a group on each core": lambda read: self._on_cores(self._packed, read),
        }

    @property
    def left_out(self) -> Mapping[str, Step]:
        """All but the one."""
        return {
            "nothing": lambda read: self._on_cores(self._packed, read),
            "what texts share once a search": lambda read: self._on_cores(self._packed, [_unshared(t) for t in read]),
            "weights laid out for oneDNN": lambda read: self._on_cores(self._plain, read),
            "a group on each core": lambda read: self._shared(self._packed, read),
        }

    @torch.inference_mode()
    def run(self, step: Step, read: Sequence[Tokens]) -> list[float]:
        """The scores of one step."""
        torch.set_num_threads(self._threads)
        scores: list[float] = step(read).tolist()
        return scores

    def _with_head(self, read: Sequence[Tokens]) -> Tensor:
        """As the reference does: padded on the left, the whole vocabulary at every position."""
        return torch.cat([self._head_of(read[start : start + BATCH]) for start in range(0, len(read), BATCH)])

    def _head_of(self, read: Sequence[Tokens]) -> Tensor:
        ids, mask = _left_padded(read)
        last: Tensor = self._whole(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, -1]
        return last[:, self._yes] - last[:, self._no]

    def _by_body(self, read: Sequence[Tokens], batch: int) -> Tensor:
        return torch.cat([self._body_of(read[start : start + batch]) for start in range(0, len(read), batch)])

    def _body_of(self, read: Sequence[Tokens]) -> Tensor:
        ids, mask = _left_padded(read)
        given = {} if bool(mask.all()) else {"attention_mask": mask}
        states: Tensor = self._whole.model(input_ids=ids, use_cache=False, **given).last_hidden_state
        return states[:, -1] @ self._direction

    def _unshared(self, decoder: PackedDecoder, read: Sequence[Tokens]) -> Tensor:
        return decoder.last_states([t.shared + t.own for t in read], [None] * len(read)) @ self._direction

    def _shared(self, decoder: PackedDecoder, read: Sequence[Tokens]) -> Tensor:
        if not read[0].shared:
            return self._unshared(decoder, read)
        (prefix,) = decoder.prefixes([read[0].shared])
        return decoder.last_states([t.own for t in read], [prefix] * len(read)) @ self._direction

    def _on_cores(self, decoder: PackedDecoder, read: Sequence[Tokens]) -> Tensor:
        prefix = decoder.prefixes([read[0].shared])[0] if read[0].shared else None

        @torch.inference_mode()
        def group(places: list[int]) -> Tensor:
            return decoder.last_states([read[place].own for place in places], [prefix] * len(places)) @ self._direction

        return self._batches.run([tokens.cost for tokens in read], group)


def _unshared(tokens: Tokens) -> Tokens:
    return Tokens((), tokens.shared + tokens.own)


def _left_padded(read: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
    whole = [tokens.shared + tokens.own for tokens in read]
    length = max(map(len, whole))
    ids = torch.tensor([[0] * (length - len(one)) + list(one) for one in whole])
    return ids, torch.tensor([[0] * (length - len(one)) + [1] * len(one) for one in whole])
