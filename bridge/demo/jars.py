"""An engine's jars, fetched from the Maven repository by jgo, which keeps them in its cache.

The only module that imports jgo; imported when an engine is started, so that the extra ``demo`` stays optional.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import jgo
import msgspec
from jgo.config import GlobalSettings
from jgo.maven import Artifact, PythonResolver

from bridge.errors import EngineStartError


class ReportingResolver(PythonResolver):  # type: ignore[misc, unused-ignore] # jgo may come without types
    """Says what is downloaded, and leaves no half file behind: jgo would take it for a whole one next time."""

    def __init__(self, name: str, report: Callable[[str], None]) -> None:
        super().__init__()
        self._name = name
        self._report = report
        self._bytes = 0

    def download(self, artifact: Artifact) -> Path | None:
        """The path of the downloaded file."""
        self._report(f"downloading {self._name}: {artifact.filename} ({self._bytes / 1e6:.0f} MB so far)")
        try:
            path: Path | None = super().download(artifact)
        except BaseException:
            if (partial := artifact.cached_path) is not None:
                partial.unlink(missing_ok=True)
            raise
        self._bytes += path.stat().st_size if path is not None else 0
        return path


def fetch(name: str, coordinates: str, report: Callable[[str], None]) -> tuple[Path, ...]:
    """The jars that ``coordinates`` need, from the cache or downloaded. Raises ``EngineStartError``.

    Several coordinates are joined with ``+``. ``report`` gets one line per downloaded file.
    """
    try:
        # jgo takes jars away and lays them out again where all are Java modules: an engine that runs would miss them.
        listed = Path(GlobalSettings.load().cache_dir) / "rerank-bridge" / _file_name(coordinates)
        return _those_of(listed) or _resolved(name, coordinates, report, listed)
    except Exception as error:  # jgo lets through whatever its HTTP, XML and zip libraries raise
        raise EngineStartError(
            f"the jars of {name} can't be had: {type(error).__name__}: {error}\n"
            "They come from the Maven repository once (45 to 90 MB) and are kept in ~/.m2 and ~/.cache/jgo. "
            "Check the network (a proxy is set with HTTPS_PROXY), or give a running engine with --upstream."
        ) from error


def _file_name(coordinates: str) -> str:
    return f"{hashlib.sha256(coordinates.encode()).hexdigest()[:16]}.json"


def _those_of(listed: Path) -> tuple[Path, ...]:
    """The jars that were fetched before; none where one of them is gone."""
    try:
        jars = tuple(map(Path, msgspec.json.decode(listed.read_bytes(), type=list[str])))
    except (OSError, msgspec.DecodeError):
        return ()
    return jars if all(jar.is_file() for jar in jars) else ()


def _resolved(name: str, coordinates: str, report: Callable[[str], None], listed: Path) -> tuple[Path, ...]:
    environment = jgo.build(coordinates, resolver=ReportingResolver(name, report))
    jars = tuple(environment.all_jars)
    listed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=listed.parent, delete=False) as file:
        file.write(msgspec.json.encode([str(jar) for jar in jars]))
    Path(file.name).replace(listed)
    return jars
