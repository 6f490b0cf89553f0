"""Engines with nsunit-oci below them: their command lines, and podman, which has the image that all are given."""

import os
import pty
import select
import shutil
import uuid
from pathlib import Path

import pytest
from docker_daemon import FILES, IMAGE

DROP_IN = Path("/etc/containers/containers.conf.d/50-nsunit-oci.conf")
LOOP = "trap 'exit 3' TERM; while :; do sleep 1000 & wait $!; done"


def on_a_terminal(*words):
    """What a command writes to a terminal of its own, and its status."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    said = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            break
    os.close(terminal)
    return said.decode().replace("\r", ""), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Engine:
    """A command line like podman's."""

    def __init__(self, run, *words):
        self.words, self._run = words, run

    def __call__(self, *words, **options):
        return self._run(*self.words, *words, **options)

    def out(self, *words, **options):
        return self(*words, **options).stdout.strip()

    def start(self, *options, script=LOOP):
        """Start a container that ends with status 3 at SIGTERM; returns its name."""
        name = f"e{uuid.uuid4().hex[:8]}"
        self("run", "-d", "--name", name, *options, IMAGE, "sh", "-c", script)
        return name

    def pid(self, name):
        return int(self.out("inspect", "--format", "{{.State.Pid}}", name))


@pytest.fixture(scope="module")
def podman(run):
    """podman with the drop-in, and busybox as an image."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FILES / "containers.conf", DROP_IN)
    engine = Engine(run, "podman")
    run(f"tar -C /srv/roots/busybox -c . | podman import -q - {IMAGE}")
    yield engine
    engine("rm", "--all", "--force", "--time", "0")
    engine("pod", "rm", "--all", "--force")
    engine("rmi", "--all", "--force")
    DROP_IN.unlink()
