"""Encoders that classify, without padding: BERT, RoBERTa, XLM-RoBERTa and ModernBERT as transformers writes them.

All sequences stand in one row; positions and attention are each sequence's own. The head, which is the model's own or
stands in modules of its own, reads the places that it pools from, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from bridge.models import packed_attention
from bridge.models.last_layer import ask_first_alone
from bridge.models.linears import Linear
from bridge.models.precision import LinearKind
from bridge.models.weights import load_weights

Head = Callable[[Tensor], Tensor]
"""From pooled states, shape ``(sequences, width)``, to logits, ``(sequences, 1)``."""


@dataclass(frozen=True, slots=True)
class Family:
    """What the encoders of one ``model_type`` have of their own."""

    head: Callable[[Any, Tensor], Tensor]
    """From a classifier and its pooled states, ``(sequences, 1, width)``, to its logits."""
    counts_from_padding: bool = False
    """Whether positions are numbered from behind the padding's id, and a padding token in a text has its id."""
    has_segments: bool = False


FAMILIES: dict[str, Family] = {
    "bert": Family(lambda model, pooled: model.classifier(model.bert.pooler(pooled)), has_segments=True),
    "roberta": Family(lambda model, pooled: model.classifier(pooled), counts_from_padding=True),
    "xlm-roberta": Family(lambda model, pooled: model.classifier(pooled), counts_from_padding=True),
    "modernbert": Family(lambda model, pooled: model.classifier(model.head(pooled))),
}


class PackedEncoder:
    """An encoder with a head. ``architecture`` is its class in transformers; without ``head``, one that classifies.

    Raises ``ModelLoadError`` where the weights are not whole.
    """

    def __init__(  # noqa: PLR0913 - what an encoder is made of
        self,
        folder: Path,
        architecture: str,
        device: torch.device,
        dtype: torch.dtype,
        linear_kind: LinearKind,
        *,
        head: Head | None = None,
        pools_mean: bool = False,
    ) -> None:
        packed_attention.register()
        model = load_weights(getattr(transformers, architecture), folder, device, dtype)
        model.set_attn_implementation(packed_attention.NAME)
        self._family = FAMILIES[model.config.model_type]
        self._body = model.base_model
        self._head = head or (lambda pooled: self._family.head(model, pooled[:, None]))
        self._pools_mean = pools_mean
        self._padding_id: int = model.config.pad_token_id or 0
        self._device = device
        self.weights_bytes = sum(values.numel() * values.element_size() for values in model.parameters())
        if device.type == "cpu":
            _lay_out(self._body, linear_kind)
        self._gives_firsts = not pools_mean and ask_first_alone(self._body)

    @torch.inference_mode()
    def logits(self, sequences: Sequence[Sequence[int]], first: Sequence[int]) -> Tensor:
        """The logit of each sequence: shape ``(len(sequences),)``, float32, same order; no sequence is empty.

        The first ``first`` tokens of a sequence are its first segment; models without segments ignore that.
        """
        lengths = torch.tensor([len(ids) for ids in sequences])
        bounds = nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
        ids = torch.tensor([token for ids in sequences for token in ids])
        states = self._body(
            input_ids=ids[None].to(self._device),
            position_ids=self._positions(ids, lengths, bounds)[None].to(self._device),
            # Families without segments hand it on to the attention, which does not look.
            token_type_ids=self._segments(lengths, first)[None].to(self._device) if self._family.has_segments else None,
            cu_seq_lens_q=bounds.to(self._device),
            max_length_q=int(lengths.max()),
        ).last_hidden_state[0]
        return self._head(self._pool(states, bounds.to(self._device))).reshape(-1).float()

    def _positions(self, ids: Tensor, lengths: Tensor, bounds: Tensor) -> Tensor:
        """Each token's place in its own sequence, as the family counts."""
        counted = ids.ne(self._padding_id).long() if self._family.counts_from_padding else torch.ones_like(ids)
        before = nn.functional.pad(counted.cumsum(0), (1, 0))
        places = before[1:] - before[bounds[:-1]].repeat_interleave(lengths)
        return places * counted + self._padding_id if self._family.counts_from_padding else places - 1

    @staticmethod
    def _segments(lengths: Tensor, first: Sequence[int]) -> Tensor:
        second = lengths - torch.tensor(first)
        parts = torch.stack([lengths - second, second], dim=1).reshape(-1)
        return torch.tensor([0, 1]).repeat(len(first)).repeat_interleave(parts)

    def _pool(self, states: Tensor, bounds: Tensor) -> Tensor:
        if not self._pools_mean:
            return states if self._gives_firsts else states[bounds[:-1]]
        return torch.stack([part.mean(dim=0) for part in torch.split(states, bounds.diff().tolist())])


class _Product(nn.Module):
    """A ``nn.Linear`` with its weights laid out for this machine."""

    def __init__(self, product: Linear, outputs: int) -> None:
        super().__init__()
        self._product, self._outputs = product, outputs

    def forward(self, x: Tensor) -> Tensor:
        return self._product(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], self._outputs)


def _lay_out(body: nn.Module, linear_kind: LinearKind) -> None:
    """Put products in the place of linear layers, whose weights are then freed."""
    for parent in list(body.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                bias = None if child.bias is None else child.bias.detach()
                product = linear_kind(child.weight.detach(), bias)
                setattr(parent, name, _Product(product, child.out_features))
