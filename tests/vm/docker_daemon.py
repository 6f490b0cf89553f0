"""Docker with nsunit-oci as its default runtime, by the file of packaging/engines: fixtures."""

import shutil
import subprocess
from pathlib import Path

import pytest
from docker_api import Docker
from packages import installed

FILES = Path("/usr/share/doc/nsunit/engines")
DAEMON = Path("/etc/docker/daemon.json")
IMAGE = "localhost/busybox:test"


@pytest.fixture(scope="module")
def docker_packages(run):
    """docker.io with containerd, and docker-compose; none is started."""
    with installed(run, "docker.io/*.deb", "docker-compose/*.deb"):
        yield
        run("systemctl", "stop", "docker.socket", "docker", "containerd")
    run("rm", "-rf", "/etc/docker", "/var/lib/docker", "/var/lib/containerd")
    run("nft flush ruleset; ip link del docker0", check=False)


@pytest.fixture(scope="module")
def docker(docker_packages, run):
    """The daemon, and busybox as an image."""
    DAEMON.parent.mkdir(exist_ok=True)
    shutil.copy(FILES / "daemon.json", DAEMON)
    run("systemctl", "start", "docker")
    engine = Docker()
    load_image(engine)
    yield engine
    run("systemctl", "stop", "docker.socket", "docker")


def busybox():
    """busybox's root as a tar."""
    return subprocess.run(["tar", "-C", "/srv/roots/busybox", "-c", "."], check=True, stdout=subprocess.PIPE).stdout


def load_image(engine):
    """Have busybox's root as an image."""
    name, _, tag = IMAGE.partition(":")
    engine.ask("POST", "/images/create", raw=busybox(), fromSrc="-", repo=name, tag=tag)
