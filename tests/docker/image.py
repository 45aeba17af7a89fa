"""Builds the image of a Dockerfile without docker: every step in a root of its own, and then its health check.

    scripts/check_docker [NAME=VALUE ...]        build arguments

Needs root and debootstrap. The base image is stood in for by a minimal Debian of the same release with its own Python;
``COPY`` copies, ``RUN`` runs in the root, and the command is started as the image's user, in a network of its own, with
the root read-only and a ``/tmp`` in memory, until the image's health check says that it is healthy.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.docker.dockerfile import Stage, assigned, declared, parsed

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"
FOLDER = REPOSITORY / ".cache" / "docker"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEALTHY_WITHIN_S = 300
_NO_ENGINE = {"RERANK_BRIDGE_ENGINE": "opensearch", "RERANK_BRIDGE_UPSTREAM": "http://127.0.0.1:1"}

_ENTER = 'mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$@"'
_ENTER_READ_ONLY = (
    'mount --bind "$0" "$0" && mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" '
    '&& mount -t tmpfs tmpfs "$0/tmp" && mount -o remount,bind,ro "$0" && exec chroot "$@"'
)
_LOOPBACK_UP = (
    "import fcntl, os, socket, struct, sys; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x49)); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
"""SIOCSIFFLAGS with IFF_UP, IFF_LOOPBACK and IFF_RUNNING: netdevice(7)."""


class Root:
    """A stage's file system, and what its next step finds."""

    def __init__(self, path: Path, arguments: Mapping[str, str]) -> None:
        self.path = path
        self._arguments = arguments
        self._declared: dict[str, str] = {}
        self._environment = {"PATH": _USUAL_PATH}
        self._folder = "/"
        self.user = "0:0"

    @property
    def environment(self) -> dict[str, str]:
        return {**self._declared, **self._environment}

    def step(self, keyword: str, text: str, others: Mapping[str, Root]) -> None:
        """Does what an instruction says."""
        if keyword == "ARG":
            self._declared |= declared(text, self._arguments)
        elif keyword == "ENV":
            self._environment |= assigned(text, self.environment)
        elif keyword == "WORKDIR":
            self._folder = text
            self._within(text).mkdir(parents=True, exist_ok=True)
        elif keyword == "USER":
            self.user = text
        elif keyword == "COPY":
            self._copy(shlex.split(text), others)
        elif keyword == "RUN":
            own = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
            command = [f"--userspec={self.user}", str(self.path), "/bin/sh", "-c", f"cd {self._folder} && {text}"]
            environment = {"PIP_CERT": _CERTIFICATES, **own, **self.environment}
            subprocess.run(entering(_ENTER, self.path, command), check=True, env=environment)

    def _copy(self, words: Sequence[str], others: Mapping[str, Root]) -> None:
        options = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        base = others[options["from"]].path if "from" in options else REPOSITORY
        for source in sources:
            found = base / source.lstrip("/")
            goal = self._within(target)
            if found.is_dir():
                shutil.copytree(found, goal, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(found, goal)
            if "chown" in options:
                subprocess.run(["chown", "-R", options["chown"], goal], check=True)

    def _within(self, path: str) -> Path:
        return self.path / os.path.join(self._folder, path).lstrip("/")  # noqa: PTH118 - an absolute path wins


def entering(script: str, root: Path, command: Sequence[str]) -> list[str]:
    """What runs a command in a root, its mounts seen by nobody else."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, str(root), *command]


def base_root(image: str) -> Path:
    """A root that stands in for an image of Python: made once."""
    release = image.rpartition("-")[2]
    base = FOLDER / release
    if not (base / "usr/local/bin/python").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(base, ignore_errors=True)
        packages = "--include=python3,python3-venv,python3-pip,ca-certificates"
        subprocess.run(["debootstrap", "--variant=minbase", packages, release, base], check=True)
        shutil.copy(_CERTIFICATES, base / _CERTIFICATES.lstrip("/"))
        (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.copy("/etc/resolv.conf", base / "etc/resolv.conf")
    return base


def built(stages: Sequence[Stage], arguments: Mapping[str, str]) -> Root:
    """The root of the last stage."""
    roots: dict[str, Root] = {}
    for stage in stages:
        path = FOLDER / f"stage-{stage.name}"
        shutil.rmtree(path, ignore_errors=True)
        subprocess.run(["cp", "-a", base_root(stage.image), path], check=True)
        root = roots[stage.name] = Root(path, arguments)
        for number, (keyword, text) in enumerate(stage.instructions, start=1):
            _say(f"{stage.name} {number}/{len(stage.instructions)}: {keyword} {text[:100]}")
            root.step(keyword, text, roots)
    return root


def is_healthy(stage: Stage, root: Root) -> bool:
    """Whether the command comes up as the image starts it, by the image's own health check."""
    command = [*_listed(stage, "ENTRYPOINT"), *_listed(stage, "CMD")]
    check = json.loads(stage.texts("HEALTHCHECK")[0].partition("CMD ")[2])
    script = "\n".join(
        [
            f"{shlex.join(command)} &",
            f"for second in $(seq {_HEALTHY_WITHIN_S}); do",
            f"  if {shlex.join(check)} 2>/dev/null; then",
            "    echo healthy after about $second s as $(id -u):$(id -g); exit 0",
            "  fi",
            "  kill -0 $! 2>/dev/null || exit 1; sleep 1",
            "done; exit 1",
        ]
    )
    inside = [f"--userspec={root.user}", str(root.path), "/bin/sh", "-c", script]
    alone = ["unshare", "--net", sys.executable, "-c", _LOOPBACK_UP, *entering(_ENTER_READ_ONLY, root.path, inside)]
    return subprocess.run(alone, check=False, env={**root.environment, **_NO_ENGINE}).returncode == 0


def _listed(stage: Stage, keyword: str) -> list[str]:
    words: list[str] = json.loads(stage.texts(keyword)[0])
    return words


def _say(text: str) -> None:
    sys.stdout.write(f"check_docker: {text}\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """0 where every step ran and the command came up; 1 where not; 2 where this machine can't do it."""
    missing = [program for program in ("debootstrap", "unshare", "chroot") if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        _say(f"needs root, and {', '.join(missing) or 'nothing else'}")
        return 2
    arguments = dict(word.split("=", 1) for word in words)
    stages = parsed(DOCKERFILE.read_text(), arguments)
    started = time.monotonic()
    try:
        root = built(stages, arguments)
    except subprocess.CalledProcessError as error:
        _say(f"failed with {error.returncode}")
        return 1
    size = subprocess.run(["du", "-sm", root.path], check=True, capture_output=True, text=True).stdout.split()[0]
    _say(f"built in {time.monotonic() - started:.0f} s: {size} MiB")
    return 0 if is_healthy(stages[-1], root) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
