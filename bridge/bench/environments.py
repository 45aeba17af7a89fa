"""A virtual environment for each reference, with its own packages before ours: they need other versions than we do.

torch is ours, the same for all: each environment also sees the packages of the one that runs the benchmark.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

INSTALL_TIMEOUT_S = 900.0
_LAST_LINES = 3
_DONE = "installed"  # the file that an installation ends with


@dataclass(frozen=True, slots=True)
class Environment:
    """What is installed for one reference, or several."""

    name: str
    packages: tuple[str, ...]


MXBAI = Environment(
    "mxbai-rerank",
    (
        "mxbai-rerank==0.1.6",
        "batched==0.1.5",
        "transformers==4.57.6",
        "tokenizers==0.22.2",
        "huggingface-hub==0.36.2",
        "accelerate==1.15.0",
    ),
)
SENTENCE_TRANSFORMERS = Environment("sentence-transformers", ("sentence-transformers==6.2.0",))
# The exports of optimum-onnx and optimum-intel need transformers 4, for which 5.7 is the last sentence-transformers.
BACKENDS = Environment(
    "sentence-transformers-backends",
    (
        "sentence-transformers[onnx,openvino]==5.7.0",
        "transformers==4.57.6",
        "tokenizers==0.22.2",
        "huggingface-hub==0.36.2",
        "datasets==4.8.5",
        "optimum-onnx==0.1.0",
        "optimum-intel==1.27.0",
        "onnxruntime==1.32.0",
        "openvino==2026.4.1",
        "nncf==3.4.0",
    ),
)
INFINITY = Environment(
    "infinity",
    (
        "infinity-emb==0.0.78",
        "sentence-transformers==3.4.1",
        "transformers==4.57.6",
        "tokenizers==0.22.2",
        "huggingface-hub==0.36.2",
        "numpy<2",
    ),
)


def python_of(environment: Environment, cache: Path) -> Path:
    """The environment's interpreter, installed where it is not there yet: a minute or so.

    Raises ``RuntimeError`` with the last lines of pip where that fails.
    """
    stamp = blake2b(repr((environment, sys.version, version("torch"))).encode(), digest_size=8).hexdigest()
    folder = cache / "environments" / f"{environment.name}-{stamp}"
    if not (folder / _DONE).is_file():
        _install(environment, folder)
    return folder / "bin" / "python"


def _install(environment: Environment, folder: Path) -> None:
    constraints = folder.with_suffix(".constraints")
    folder.parent.mkdir(parents=True, exist_ok=True)
    constraints.write_text(f"torch=={version('torch')}\n")
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        # Read after the environment's own folder, so that its packages come first and ours fill in.
        python = str(folder / "bin" / "python")
        own = Path(_run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))
        (own / "zz_beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--constraint", str(constraints), *environment.packages])
        (folder / _DONE).touch()
    except RuntimeError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in str(error.stderr).splitlines() if line.strip()][-_LAST_LINES:]
        raise RuntimeError("could not be installed: " + " ".join(lines)) from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"could not be installed within {INSTALL_TIMEOUT_S:.0f} s") from error
    return done.stdout.strip()
