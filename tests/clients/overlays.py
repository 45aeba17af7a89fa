"""Package versions that can't share an environment with the others: each in a folder of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
CACHE = REPOSITORY / ".cache" / "clients"


def overlay(requirements: Sequence[str], *options: str) -> Path:
    """A folder with these packages, for ``PYTHONPATH``: kept between runs, whole or absent.

    With what they need, unless the options of pip say otherwise.
    """
    stamp = hashlib.sha256(repr((requirements, options, sys.version_info[:2])).encode()).hexdigest()[:16]
    folder = CACHE / stamp
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{scratch}/packages"]
            subprocess.run(
                [*install, *options, *requirements], check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
            )
            if not folder.is_dir():  # another run may have been faster
                shutil.move(f"{scratch}/packages", folder)
    return folder


async def run(requirements: Sequence[str], module: str, *arguments: str) -> Any:
    """What a module prints as JSON, run with these packages alone; it may use a bridge of this process."""
    environment = os.environ | {"PYTHONPATH": str(await asyncio.to_thread(overlay, requirements))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-S",
        "-m",
        module,
        *arguments,
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)
