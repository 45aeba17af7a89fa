"""The home folder that Solr wants to be started from, and how its replies say that it is ready.

Its jars are published; a home and a configset are not. Ours, the folder ``solr`` beside this module, is copied into the
base directory, where cores, collections and ZooKeeper's data lie beside it.

Source: https://solr.apache.org/guide/solr/latest/configuration-guide/, "Configuration Files", "CoreAdmin API",
"Collections API".
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

HOME = Path(__file__).with_name("solr")
CONFIGSET = "_default"
"""Solr's own name for what a core is made of where nothing else is said."""
SERVER = "jetty.xml"
"""Starts the node; relative to the base directory."""


def laid_out(base: Path, port: int, settings: Mapping[str, str]) -> tuple[str, ...]:
    """What tells Java where the home is, once it is written; what is there already stays. Raises ``OSError``."""
    base.mkdir(parents=True, exist_ok=True)
    for file in HOME.glob("*.*"):
        shutil.copyfile(file, base / file.name)
    conf = base / "configsets" / CONFIGSET / "conf"
    if not conf.is_dir():  # later on, it has fields that were added through the schema API
        shutil.copytree(HOME / "conf", conf, copy_function=shutil.copyfile)
    places = {"solr.solr.home": base, "solr.install.dir": base, "solr.log.dir": base / "logs"}
    properties = {**places, "hostPort": port, "solr.default.confdir": conf, **settings}
    return tuple(f"-D{name}={value}" for name, value in properties.items())


def has_loaded_cores(listed: Mapping[str, object], base: Path) -> bool:
    """Whether this is a list of all cores of the home; one that is being loaded is not listed."""
    loaded, failed = listed.get("status"), listed.get("initFailures")
    if not isinstance(loaded, dict) or not isinstance(failed, dict):
        return False
    return len(loaded) + len(failed) >= sum(1 for _ in base.glob("*/core.properties"))


def has_active_replicas(status: Mapping[str, object], base: Path) -> bool:
    """Whether this is the state of a cluster whose node is alive, with every replica ready to be searched."""
    del base  # ZooKeeper knows of all
    cluster = status.get("cluster")
    if not isinstance(cluster, dict) or not cluster.get("live_nodes"):
        return False
    shards = (shard for collection in cluster["collections"].values() for shard in collection["shards"].values())
    return all(replica["state"] == "active" for shard in shards for replica in shard["replicas"].values())
