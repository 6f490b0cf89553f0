"""Containers that remember something, with criu(8) to write and restore them."""

import os
import subprocess
from pathlib import Path

import pytest

MARKS = [
    pytest.mark.once("criu is of one release, and systemd has no part in what it does"),
    pytest.mark.kernel("checkpoints"),
]
# What is in a variable of its shell only: whoever writes the same has not begun anew.
REMEMBERS = "x=$(cat /proc/sys/kernel/random/uuid); while :; do echo $x > /tmp/x; sleep 0.1; done"
STATUS = ("Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp:", "SigIgn:", "NSpid:")
MANAGERS = pytest.mark.parametrize("manager", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])


@pytest.fixture(scope="module", autouse=True)
def criu():
    """The package; other tests are for hosts without."""
    files = sorted(map(str, Path("/srv/packages/criu").glob("*.deb")))
    subprocess.run(["dpkg", "--force-unsafe-io", "--install", *files], check=True, capture_output=True)
    yield
    subprocess.run(["dpkg", "--purge", "criu"], check=True, capture_output=True)


@pytest.fixture
def remembering(bundle):
    """A bundle of a shell that remembers."""
    bundle.config["process"]["args"] = ["sh", "-c", REMEMBERS]
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    return bundle


def word(bundle):
    """What the shell has written since just now."""
    bundle.call("exec", bundle.id, "sh", "-c", "until rm /tmp/x; do sleep 0.1; done 2>/dev/null")
    return bundle.call("exec", bundle.id, "sh", "-c", "until cat /tmp/x; do sleep 0.1; done 2>/dev/null").stdout


def started(bundle, *options):
    bundle.call(*options, "run", "--detach", "--pid-file", "pid", bundle.id)
    return int((bundle.path / "pid").read_text())


def restored(bundle, *options, manager=()):
    """Bring it back; returns its process."""
    words = ("restore", "--detach", "--image-path", "image", "--pid-file", "pid", *options, bundle.id)
    bundle.call(*manager, *words)
    return int((bundle.path / "pid").read_text())


def seen(pid):
    """What of a process must be the same after a restore."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mounts = [line.split(" ", 3)[3] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    shown = [line for line in lines if line.startswith(STATUS) and not line.startswith("NSpid")]
    shown += [line.split()[-1] for line in lines if line.startswith("NSpid")]
    group = Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1]
    score = Path(f"/proc/{pid}/oom_score_adj").read_text()
    return shown, os.readlink(f"/proc/{pid}/cwd"), group, score, sorted(map(comparable, mounts))


def differs(found, wanted):
    assert found[:-1] == wanted[:-1]
    new = [line for line in found[-1] if line not in wanted[-1]]
    gone = [line for line in wanted[-1] if line not in found[-1]]
    assert (new, gone) == ([], []), f"{new=}, {gone=}"


def comparable(line):
    """A line of mountinfo from the root on, without numbers of groups that are made anew."""
    before, _, after = line.partition(" - ")
    return " ".join(item.split(":")[0] for item in before.split()) + " - " + after
