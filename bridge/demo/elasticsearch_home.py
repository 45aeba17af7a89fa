"""The home folder that Elasticsearch 9 wants to be started from: its HTTP module, libzstd, and a main class.

Its jars are published; a main class is not, since the distribution brings its own. Ours, ``Launcher.java``, is compiled
once, on the runtime that runs it, by Eclipse's compiler, which is a jar like any other.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bridge.errors import EngineStartError

LAUNCHER = Path(__file__).with_name("Launcher.java")
MODULE = "transport-netty4"
MODULE_COORDINATES = "org.elasticsearch.plugin:transport-netty4:9.5.3"
COMPILER_COORDINATES = "org.eclipse.jdt:ecj:3.41.0"
COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
JAVA_LEVEL = "21"
"""What Elasticsearch 9 itself asks for at least."""
COMPILE_TIMEOUT_S = 120.0
"""It takes 2 s on an idle core."""

_IN_MODULE = (f"{MODULE}-", "netty-", "elasticsearch-ssl-config-")
"""How the module's own jars begin; what else it needs is the server's."""
_DESCRIPTION = f"META-INF/es-plugins/{MODULE}/"
_AS_JAVA_MODULE = b"modulename="
_ZSTD_NAMES = {"darwin": "libzstd.dylib"}


def home(java: Path, jars: tuple[Path, ...], fetch: Callable[[str], tuple[Path, ...]]) -> Path:
    """The folder, made once and kept beside the jars; it is a class path too. Raises ``EngineStartError``."""
    made_from = (LAUNCHER.read_bytes(), Path(__file__).read_bytes())
    # jgo keeps the jars of one set of coordinates in a folder within a folder of their own.
    kept = jars[0].parent.parent / f"home-{hashlib.sha256(b''.join(made_from)).hexdigest()[:16]}"
    if kept.is_dir():
        return kept
    zstd = system_library("zstd")
    (compiler,) = fetch(COMPILER_COORDINATES)
    module = fetch(MODULE_COORDINATES)
    try:
        with tempfile.TemporaryDirectory(prefix="home-", dir=kept.parent, ignore_cleanup_errors=True) as directory:
            made = Path(directory) / kept.name
            _compile(java, compiler, jars, made)
            _lay_out_module(module, made / "modules" / MODULE)
            (made / "plugins").mkdir()
            shutil.copy(zstd, _native(made) / _ZSTD_NAMES.get(sys.platform, "libzstd.so"))
            _keep(made, kept)
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineStartError(f"{kept.parent} can't be used for Elasticsearch's home: {error}") from error
    return kept


def options(home: Path) -> tuple[str, ...]:
    """What tells Java where the folder is."""
    return (f"-Des.path.home={home}", f"-Des.nativelibs.path={_native(home)}")


def system_library(name: str) -> Path:
    """The file of a library of the system's. Raises ``EngineStartError``."""
    known_as = ctypes.util.find_library(name) or f"lib{name}.so.1"
    try:
        ctypes.CDLL(known_as)
    except OSError as error:
        raise EngineStartError(
            f"Elasticsearch 9.5.3 needs the system's library {name}, and there is none: install it "
            f"(package lib{name}1 of Debian and Ubuntu, lib{name} of Fedora, {name} of Arch and Homebrew)"
        ) from error
    return Path(known_as) if Path(known_as).is_absolute() else _mapped(f"lib{name}.so")


def _mapped(prefix: str) -> Path:
    """The file of a library that the loader knows by name alone: it is mapped into this process now.

    Source: proc_pid_maps(5).
    """
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    files = (Path(fields[5]) for fields in (line.split(maxsplit=5) for line in lines) if len(fields) > 5)  # noqa: PLR2004 - the sixth is the file
    return next(file for file in files if file.name.startswith(prefix))


def _native(home: Path) -> Path:
    return home / "native"


def _compile(java: Path, compiler: Path, jars: Iterable[Path], target: Path) -> None:
    _native(target).mkdir(parents=True)
    class_path = os.pathsep.join(map(str, jars))
    arguments = ("-nowarn", f"-{JAVA_LEVEL}", "-proc:none", "-cp", class_path, "-d", str(target), str(LAUNCHER))
    done = subprocess.run(  # noqa: S603 - our own source
        [str(java), "-cp", str(compiler), COMPILER, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=COMPILE_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise EngineStartError(f"{LAUNCHER.name} can't be compiled:\n{done.stdout.decode(errors='replace')}")


def _lay_out_module(jars: Iterable[Path], target: Path) -> None:
    target.mkdir(parents=True)
    for jar in jars:
        if jar.name.startswith(_IN_MODULE):
            shutil.copy(jar, target)
    (described,) = target.glob(f"{MODULE}-*.jar")
    with zipfile.ZipFile(described) as archive:
        for name in archive.namelist():
            if name.startswith(_DESCRIPTION) and not name.endswith("/"):
                lines = archive.read(name).splitlines(keepends=True)
                # On a class path instead of a module path, the server itself is no Java module that one could require.
                kept = (line for line in lines if not line.startswith(_AS_JAVA_MODULE))
                (target / Path(name).name).write_bytes(b"".join(kept))


def _keep(made: Path, kept: Path) -> None:
    try:
        made.rename(kept)
    except OSError:
        if not kept.is_dir():  # else another process was faster
            raise
