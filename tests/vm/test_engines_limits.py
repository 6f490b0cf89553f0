"""Limits that engines change on containers of nsunit-oci: their files.  Without networks, which need more of a kernel.

What engines do else is in `test_engines.py`.
"""

import json
import shutil
from pathlib import Path

import pytest
from docker_api import Docker, Refused
from docker_daemon import DAEMON, FILES, IMAGE, docker_packages, load_image

__all__ = ["docker_packages"]  # a fixture

pytestmark = [
    pytest.mark.once("the engines are those of one release, and their answers do not depend on systemd"),
    pytest.mark.machine("controllers"),
]

DROP_IN = Path("/etc/containers/containers.conf.d/50-nsunit-oci.conf")


@pytest.fixture
def podman(run):
    """podman with the drop-in, and busybox as an image."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FILES / "containers.conf", DROP_IN)
    run(f"tar -C /srv/roots/busybox -c . | podman import -q - {IMAGE}")
    yield lambda *words: run("podman", *words).stdout.strip()
    run("podman", "rm", "--all", "--force", "--time", "0")
    run("podman", "rmi", "--all", "--force")
    DROP_IN.unlink()


def test_podmans_change(podman):
    name = podman("run", "-d", "--network", "none", "--memory", "64m", IMAGE, "sleep", "1000")
    podman("update", "--memory", "128m", "--cpus", "0.5", "--pids-limit", "50", name)
    pid = podman("inspect", "--format", "{{.State.Pid}}", name)
    group = Path(f"/sys/fs/cgroup{Path(f'/proc/{pid}/cgroup').read_text().strip()[3:]}")
    names = "memory.max", "cpu.max", "pids.max"
    expected = [str(128 << 20), "50000 100000", "50"]
    assert [(group / file).read_text().strip() for file in names] == expected
    (told,) = json.loads(podman("stats", "--no-stream", "--format", "json", name))
    assert told["mem_usage"].endswith(" / 134.2MB")


@pytest.fixture
def docker(docker_packages, run):
    """The daemon, which makes no network, and busybox as an image."""
    DAEMON.parent.mkdir(exist_ok=True)
    told = json.loads((FILES / "daemon.json").read_text())
    DAEMON.write_text(json.dumps({**told, "bridge": "none", "iptables": False, "ip6tables": False}))
    run("systemctl", "start", "docker")
    engine = Docker()
    load_image(engine)
    yield engine
    run("systemctl", "stop", "docker.socket", "docker")


def test_dockers_change(docker, run):
    """`update`, whose resources come by the standard input; and what `stats` has of the new ones."""
    container = docker.start(IMAGE, "sleep", "1000", NetworkMode="none", Memory=64 << 20, CpuShares=2048)
    new = {"Memory": 128 << 20, "MemorySwap": 160 << 20, "CpuQuota": 50000, "CpuPeriod": 100000, "PidsLimit": 50}
    docker.ask("POST", f"/containers/{container}/update", new)
    scope = f"docker-{container}.scope"
    names = "memory.max", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max"
    group = Path("/sys/fs/cgroup/system.slice") / scope
    assert [(group / name).read_text().strip() for name in names] == [
        *(str(128 << 20), str(32 << 20)),
        *("50000 100000", "174", "50"),
    ]
    shown = run("systemctl", "show", "--property=MemoryMax,CPUQuotaPerSecUSec,TasksMax,CPUWeight", scope).stdout
    expected = ["CPUQuotaPerSecUSec=500ms", "CPUWeight=174", f"MemoryMax={128 << 20}", "TasksMax=50"]
    assert sorted(shown.split()) == expected
    told = docker.ask("GET", f"/containers/{container}/stats", stream=0)
    assert (told["memory_stats"]["limit"], told["pids_stats"]) == (128 << 20, {"current": 1, "limit": 50})
    with pytest.raises(Refused, match="memory"):
        docker.ask("POST", f"/containers/{container}/update", {"Memory": 4096, "MemorySwap": 4096})
    assert (group / "memory.max").read_text().strip() == str(128 << 20)
