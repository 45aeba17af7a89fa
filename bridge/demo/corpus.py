"""The demo's corpus: the documentation of the installed Python, made at run time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from bridge.errors import DataError

TIMEOUT_S = 60.0
"""It takes about a second; a module that hangs on import must not hang the demo."""


class Document(msgspec.Struct, frozen=True, rename={"id": "_id"}):
    """What one public name of the standard library says about itself."""

    id: str
    """The qualified name as users know it: ``os.path.basename``, ``str.removeprefix``."""
    title: str
    """The qualified name and, where it is known, the signature."""
    text: str
    """The docstring, up to 4,000 characters."""


def build_corpus() -> tuple[Document, ...]:
    """A document for each documented module, class, function and method of the standard library, sorted by id.

    The same in every run on one Python. Raises ``DataError`` where this Python can't be asked.
    """
    script = Path(__file__).with_name("harvest.py")
    try:
        # -I -S: neither the user's environment nor installed packages have a say.
        harvest = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", "-W", "ignore", str(script)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(sys.executable, f"its documentation can't be read: {error}") from error
    decoder = msgspec.json.Decoder(Document)
    return tuple(decoder.decode(line) for line in harvest.stdout.splitlines())
