"""How much of a text a model reads at once: its own tokens of the text's beginning, measured, say how long they are.

How many characters a token has depends on the model's vocabulary and on the text's language: four of English, one of
Chinese, and one of Russian where the vocabulary is English.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from bridge.models.base import Model
from bridge.packing import CHARACTERS_PER_TOKEN

_SAMPLE_CHARS = 512
"""Of a text's beginning; fewer where the model reads fewer tokens, so that the sample is not cut."""
_FILLED = 0.9
"""Of what the model reads: the rest of a text may have more tokens than its beginning."""
_LEAST_SHARE = 4
"""However long a query is, models leave its text this part of what they read: a quarter."""
_MAX_SAMPLES = 20_000
"""Whose measure is kept: some 3 MB."""


class ModelWindow:
    """What one model reads at once. For one thread."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lengths: OrderedDict[bytes, float] = OrderedDict()

    def chars(self, query_text: str, texts: Sequence[str], instruction: str = "") -> list[int]:
        """Characters of each text that are read beside the query: ``len(chars) == len(texts)``, same order.

        An estimate, on the safe side. A text that is no longer than its number was not measured, or fits.
        """
        room = self._room(query_text, instruction)
        # Hardly any text has more tokens than characters.
        long = [text for text in texts if len(text) > room]
        lengths = dict(zip(long, self._token_lengths(long), strict=True)) if long else {}
        return [int(room * lengths[text] * _FILLED) if text in lengths else room for text in texts]

    def _room(self, query_text: str, instruction: str) -> int:
        """Tokens that are left for a text."""
        (nothing,) = self._model.read(query_text, [""], instruction)
        around = nothing.cost if self._model.kind == "bi-encoder" else len(nothing.shared) + nothing.cost
        return max(self._model.max_tokens - around, self._model.max_tokens // _LEAST_SHARE)

    def _token_lengths(self, texts: Sequence[str]) -> list[float]:
        """Characters of a token of each text."""
        (nothing,) = self._model.read("", [""])
        sample_chars = min(_SAMPLE_CHARS, self._model.max_tokens - nothing.cost)
        samples = [text[:sample_chars] for text in texts]
        keys = [blake2b(sample.encode("utf-8", "surrogatepass"), digest_size=16).digest() for sample in samples]
        known = {key: self._lengths[key] for key in keys if key in self._lengths}
        new = {key: sample for key, sample in zip(keys, samples, strict=True) if key not in known}
        if new:
            read = self._model.read("", list(new.values()))
            known |= {key: _length(new[key], own.cost - nothing.cost) for key, own in zip(new, read, strict=True)}
        self._keep(known)
        return [known[key] for key in keys]

    def _keep(self, lengths: Mapping[bytes, float]) -> None:
        for key, length in lengths.items():
            self._lengths[key] = length
            self._lengths.move_to_end(key)
        while len(self._lengths) > _MAX_SAMPLES:
            self._lengths.popitem(last=False)


def _length(sample: str, tokens: int) -> float:
    """Without tokens where the model knows the text, and need not read it."""
    return len(sample) / tokens if tokens > 0 else CHARACTERS_PER_TOKEN
