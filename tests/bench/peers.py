"""The tools that `native.py` compares: what each of them types for a deed, with the isolation nearest to nsunit's.

Commands are lists of words; Docker's command line is in none of the systems, so what it does is asked of its API, and
has no start of a command in it.  A deed that a tool does not have is not in its `deeds`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))

from docker_api import Docker  # noqa: E402

Deed = tuple[str, ...] | Callable[[], object]

ROOT = "/srv/roots/busybox"
WORK = "/run/bench"
PROGRAM = ("sleep", "1000")
FIRST_ID, IDS = 1_000_000, 65_536
START, STOP, EXEC, EXEC_T, LIST = "start", "stop", "exec", "exec -t", "list"
START_NET, STOP_NET = "start, bridge and port", "stop, bridge and port"


class Peer:
    """A tool; `wants` are the programs it needs, `note` says what is different from nsunit's containers."""

    name = ""
    wants: tuple[str, ...] = ()
    note = ""

    def version(self) -> str:
        """The first number that `--version` shows."""
        return first_number(said(self.wants[0], "--version"))

    def prepare(self) -> None:
        """Have there what all deeds need."""

    def deeds(self) -> dict[str, Deed]:
        """What is timed, in this order."""
        raise NotImplementedError

    def clean(self) -> None:
        """What no deed is of: after a round nothing runs."""


class Nsunit(Peer):
    name = "nsunit"
    wants = ("nsunit",)

    def prepare(self) -> None:
        for number in range(50):
            self._define(f"bench{number}", "")
        self._define("benchnet", "Network=bridge\nPublishPort=18090:80\n")

    def _define(self, name: str, more: str) -> None:
        text = f"[Container]\nLayer={ROOT}\nVolatile=yes\nExec={' '.join(PROGRAM)}\n{more}"
        directory = Path("/run/nsunit/definitions")
        directory.mkdir(exist_ok=True, parents=True)
        (directory / f"{name}.nsunit").write_text(text)

    def deeds(self) -> dict[str, Deed]:
        return {
            START: ("nsunit", "start", "bench0"),
            EXEC: ("nsunit", "exec", "bench0", "true"),
            EXEC_T: ("nsunit", "exec", "-t", "bench0", "true"),
            LIST: ("nsunit", "list"),
            STOP: ("nsunit", "stop", "bench0"),
            START_NET: ("nsunit", "start", "benchnet"),
            STOP_NET: ("nsunit", "stop", "benchnet"),
        }


class SystemdRun(Peer):
    name = "systemd-run"
    wants = ("systemd-run",)
    note = "no container: the service alone"

    def deeds(self) -> dict[str, Deed]:
        return {
            START: ("systemd-run", "-q", "--unit=bench-plain", *PROGRAM),
            STOP: ("systemctl", "stop", "bench-plain"),
        }


class Nspawn(Peer):
    name = "systemd-nspawn"
    wants = ("systemd-nspawn",)
    note = "as a service with Type=notify; it has no exec, and publishes no port by itself"

    def deeds(self) -> dict[str, Deed]:
        options = ("-q", "-U", "--volatile=overlay", "--private-network", "--keep-unit", "--register=no", "-D", ROOT)
        unit = ("systemd-run", "-q", "--unit=bench-nspawn", "-p", "Type=notify")
        return {START: (*unit, "systemd-nspawn", *options, *PROGRAM)}

    def clean(self) -> None:
        quietly("systemctl", "kill", "-s", "KILL", "bench-nspawn")
        quietly("systemctl", "stop", "bench-nspawn")  # waits until it is gone
        quietly("systemctl", "reset-failed", "bench-nspawn")
        quietly("umount", "-l", f"/run/systemd/nspawn/unix-export/{os.path.basename(ROOT)}")
        shutil.rmtree("/run/systemd/nspawn/unix-export", ignore_errors=True)


class Podman(Peer):
    name = "podman"
    wants = ("podman",)
    note = "with --cgroups=disabled, since the system has no controllers"

    def prepare(self) -> None:
        for path in (Path("/etc/subuid"), Path("/etc/subgid")):
            if "containers:" not in path.read_text():
                path.write_text(f"{path.read_text()}containers:2147483647:2147483648\n")
        with subprocess.Popen(["tar", "-C", ROOT, "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(("podman", "import", "-q", "-", "bench"), stdin=tar.stdout, check=True, capture_output=True)

    def deeds(self) -> dict[str, Deed]:
        run = ("podman", "run", "-d", "--name=bench", "--cgroups=disabled", "--userns=auto")
        stop = ("podman", "rm", "-f", "-t", "0", "bench")
        return {
            START: (*run, "--network=none", "bench", *PROGRAM),
            EXEC: ("podman", "exec", "bench", "true"),
            EXEC_T: ("podman", "exec", "-t", "bench", "true"),
            LIST: ("podman", "ps"),
            STOP: stop,
            START_NET: (*run, "--network=bridge", "-p", "18091:80", "bench", *PROGRAM),
            STOP_NET: stop,
        }

    def clean(self) -> None:
        quietly("podman", "rm", "-f", "-t", "0", "-a")


class DockerApi(Peer):
    name = "docker"
    wants = ("dockerd",)
    note = "by its API, without the start of its command; no user namespace, its daemon runs already"

    def __init__(self) -> None:
        self.docker = Docker()
        self.container = ""

    def prepare(self) -> None:
        subprocess.run(("systemctl", "start", "docker"), check=True)
        tar = subprocess.run(("tar", "-C", ROOT, "-c", "."), check=True, capture_output=True).stdout
        self.docker.ask("POST", "/images/create", raw=tar, fromSrc="-", repo="bench")

    def deeds(self) -> dict[str, Deed]:
        return {
            START: lambda: self._start(NetworkMode="none"),
            EXEC: lambda: self.docker.execute(self.container, "true"),
            EXEC_T: lambda: self.docker.execute(self.container, "true", tty=True),
            LIST: lambda: self.docker.ask("GET", "/containers/json"),
            STOP: self._stop,
            START_NET: lambda: self._start(PortBindings={"80/tcp": [{"HostPort": "18092"}]}),
            STOP_NET: self._stop,
        }

    def _start(self, **host: object) -> None:
        self.container = self.docker.start("bench", *PROGRAM, **host)

    def _stop(self) -> None:
        self.docker.remove(self.container)


class Runtime(Peer):
    """An OCI runtime by itself: no image, no writable layer, no network."""

    note = "the runtime alone: a bundle that is there, without a layer"

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self.wants = (name,)
        self.command = (name, "--root", f"{WORK}/{name}.state", *options)
        self.bundle = f"{WORK}/{name}"

    def prepare(self) -> None:
        own_root(f"{self.bundle}/rootfs")
        subprocess.run((self.name, "spec"), cwd=self.bundle, check=True)
        path = Path(self.bundle, "config.json")
        spec = json.loads(path.read_text())
        spec["process"] |= {"terminal": False, "args": PROGRAM}
        spec["root"]["readonly"] = False
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"]
        spec["linux"].pop("resources", None)
        ids = [{"containerID": 0, "hostID": FIRST_ID, "size": IDS}]
        kinds = ("pid", "network", "ipc", "uts", "mount", "user")
        spec["linux"] |= {"namespaces": [{"type": kind} for kind in kinds], "uidMappings": ids, "gidMappings": ids}
        path.write_text(json.dumps(spec))

    def deeds(self) -> dict[str, Deed]:
        return {
            START: (*self.command, "run", "-d", "--bundle", self.bundle, "bench"),
            EXEC: (*self.command, "exec", "bench", "true"),
            EXEC_T: (*self.command, "exec", "-t", "bench", "true"),
            LIST: (*self.command, "list"),
            STOP: (*self.command, "delete", "-f", "bench"),
        }

    def clean(self) -> None:
        quietly(*self.command, "delete", "-f", "bench")


class Lxc(Peer):
    name = "lxc"
    wants = ("lxc-start",)
    note = "with a user namespace, on a directory of its own, without a layer"

    def prepare(self) -> None:
        for path in (Path("/etc/subuid"), Path("/etc/subgid")):  # newuidmap(1) asks root for it, too
            if "root:" not in path.read_text():
                path.write_text(f"{path.read_text()}root:{FIRST_ID}:{IDS}\n")
        own_root(f"{WORK}/lxc/bench/rootfs")
        Path(f"{WORK}/lxc/bench/config").write_text(
            f"lxc.uts.name = bench\nlxc.rootfs.path = dir:{WORK}/lxc/bench/rootfs\n"
            f"lxc.idmap = u 0 {FIRST_ID} {IDS}\nlxc.idmap = g 0 {FIRST_ID} {IDS}\nlxc.net.0.type = empty\n"
            f"lxc.mount.auto = proc:mixed sys:ro\nlxc.init.cmd = /bin/sleep 1000\nlxc.apparmor.profile = unconfined\n"
        )

    def deeds(self) -> dict[str, Deed]:
        def words(program: str, *more: str) -> tuple[str, ...]:
            return (program, "-P", f"{WORK}/lxc", "-n", "bench", *more)

        return {
            START: words("lxc-start"),
            EXEC: words("lxc-attach", "--", "true"),
            EXEC_T: words("lxc-attach", "--", "true"),  # on a terminal it makes one
            LIST: ("lxc-ls", "-P", f"{WORK}/lxc", "-f"),
            STOP: words("lxc-stop", "-k"),
        }

    def clean(self) -> None:
        quietly("lxc-stop", "-k", "-P", f"{WORK}/lxc", "-n", "bench")


PEERS: tuple[Peer, ...] = (
    Nsunit(),
    SystemdRun(),
    Nspawn(),
    Lxc(),
    Podman(),
    DockerApi(),
    Runtime("runc"),
    Runtime("crun", "--cgroup-manager=disabled"),
)


def own_root(path: str) -> None:
    """A copy of the root whose files belong to the container's ids."""
    shutil.copytree(ROOT, path, symlinks=True, dirs_exist_ok=True)
    subprocess.run(("chown", "-R", f"{FIRST_ID}:{FIRST_ID}", path), check=True)


def quietly(*words: str) -> None:
    """Run a command; it may fail."""
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def said(*words: str) -> str:
    """What a command prints."""
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout


def surroundings() -> dict[str, object]:
    """Where and when figures were made, as `draw.py` tells it."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": platform.release().partition("-")[0],
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def first_number(text: str) -> str:
    """The first word that begins with a digit, without punctuation around it."""
    words = (word.strip("(),") for word in text.split())
    return next((word for word in words if word[:1].isdigit()), "?")
