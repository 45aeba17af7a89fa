"""Texts to token ids, by a folder's own ``tokenizer.json`` exactly as it is.

transformers 5 builds some tokenizers anew in its own classes (DeBERTa-v2 loses the normalizer of the file that way),
and the models were trained with the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from tokenizers import Tokenizer

from bridge.errors import ModelLoadError


def open_tokenizer(folder: Path, *, rows: int) -> Tokenizer:
    """The folder's tokenizer, neither truncating nor padding. ``rows`` is the number of the model's token embeddings.

    Raises ``ModelLoadError`` where the file is missing, broken, or knows tokens that the model does not.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelLoadError(f"{folder} has no tokenizer.json: save the model's fast tokenizer beside its weights")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception for every broken file
        raise ModelLoadError(f"{file} can't be read: {error}") from error
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if highest >= rows:
        raise ModelLoadError(f"{file} does not belong to the weights: token id {highest}, but {rows} embeddings")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str], *, special: bool) -> list[list[int]]:
    """The token ids of each text, in the same order; ``special`` adds what the tokenizer puts around a text."""
    encodings = tokenizer.encode_batch_fast([sound(text) for text in texts], add_special_tokens=special)
    return [encoding.ids for encoding in encodings]


def text_key(text: str) -> bytes:
    """A digest of what a tokenizer reads of a text: equal keys, equal tokens."""
    return blake2b(sound(text).encode(), digest_size=16).digest()


def sound(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD: JSON can carry them, UTF-8 and tokenizers can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
