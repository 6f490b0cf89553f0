"""Churn: after many starts, sessions and stops the machine is as it was."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from counts import count
from waiting import wait_until

pytestmark = pytest.mark.usefixtures("tidy")

# The time-outs are for a machine whose processors are shared: a hang is a hang all the same.
SLEEPER = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\n[Service]\nTimeoutStartSec=200\n"
PATIENCE = 240
ROUNDS, CONTAINERS = count("ROUNDS"), 6
SESSIONS = 12


def machine():
    """Return everything a container could leave behind, and what process 1 holds."""
    units = subprocess.run(
        ["systemctl", "list-units", "--all", "--plain", "--no-legend", "nsunit*"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    notifications = os.listdir("/run/systemd/units") if os.path.isdir("/run/systemd/units") else []
    return {
        # What the limits of earlier tests' containers were watched with goes in its own time.
        "units": sorted(line.split()[0] for line in units.stdout.splitlines() if "nsunit-limits" not in line),
        "mounts": Path("/proc/1/mountinfo").read_text(),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup/nsunit.slice").rglob("*") if path.is_dir()),
        "runtime": sorted(str(path) for path in Path("/run/nsunit").rglob("*")),
        "transient": sorted(os.listdir("/run/systemd/transient")),
        "notifications": sorted(name for name in notifications if "nsunit-limits" not in name),
    }


def descriptors():
    return len(os.listdir("/proc/1/fd"))


def processes():
    return sum(name.isdigit() for name in os.listdir("/proc"))


def settled(wanted, count, *, spare=0, seconds=15):
    """Return what *count* tells once it is no more than wanted; kernels and journals take a moment."""
    deadline = time.monotonic() + seconds
    while (found := count()) > wanted + spare and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


@pytest.mark.timeout(900)
def test_many_starts_and_stops(nsunit, containers):
    names = [containers.define(SLEEPER) for _ in range(CONTAINERS)]
    nsunit("start", *names, timeout=PATIENCE)  # a first time, for what is made once
    nsunit("stop", *names, timeout=PATIENCE)
    before, open_before, running = machine(), descriptors(), processes()
    for number in range(ROUNDS):
        nsunit("start", *names, timeout=PATIENCE)
        alive = {containers.of(name).pid for name in names}
        assert len(alive) == CONTAINERS, number
        nsunit("stop", *names, timeout=PATIENCE)
    assert machine() == before
    assert settled(open_before, descriptors, spare=2) <= open_before + 2
    assert settled(running, processes, spare=5) <= running + 5
    nsunit("rm", *names)
    assert containers.left() == []


def test_many_sessions(nsunit, containers):
    container = containers.start(SLEEPER)
    container.exec("true")
    # systemd sees the end of a session's scope when it comes to it.
    wait_until(lambda: not [unit for unit in machine()["units"] if "-exec-" in unit])
    before, open_before = machine(), descriptors()
    for _ in range(SESSIONS // 4):
        sessions = [subprocess.Popen(["nsunit", "exec", container.name, "true"]) for _ in range(4)]
        assert [session.wait(PATIENCE) for session in sessions] == [0] * 4
    wait_until(lambda: not [unit for unit in machine()["units"] if "-exec-" in unit])
    assert machine() == before
    assert settled(open_before, descriptors, spare=2) <= open_before + 2
    assert (container.cgroup / "cgroup.stat").read_text().splitlines()[0] == "nr_descendants 2"
