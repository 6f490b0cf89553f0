"""Once a container runs, systemd and its program are all there is: nothing of nsunit's stays, by whatever name.

The bench counts in the same way, see tests/bench/resident.py.
"""

import sys
from pathlib import Path

import pytest
from waiting import wait_until

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))

from resident import Before, command_of, memory_of

PROGRAM = ("sleep", "1000")
LINES = f"[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec={' '.join(PROGRAM)}\n"


def commands(pids):
    return sorted(command_of(pid).replace("\0", " ") for pid in pids)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id=""),
        pytest.param("Network=bridge\nPublishPort=8099:80\n", id="network", marks=pytest.mark.kernel("nftables")),
        pytest.param("Pod=lone\n", id="pod"),
    ],
)
def test_nothing_stays_beside_the_program(containers, run, more):
    if "Pod=" in more:
        pod = Path("/etc/nsunit/lone.pod.nsunit")
        pod.write_text("[Pod]\n")
        containers.files.append(pod)
        containers.own("lone.pod")
    before = Before()
    name = containers.define(LINES + more)
    for line in (f"start {name}", f"exec {name} true"):
        run(f"nsunit {line}")  # a process of its own, as people run it
    # What shows a pod its limits looks twice at what has changed, and ends.
    wait_until(lambda: commands(before.since(())) == ["sleep 1000"], "nothing but the program")
    if "Pod=" in more:
        run("nsunit stop lone.pod")
    else:
        run(f"nsunit stop {name}")
    wait_until(lambda: before.since(()) == [], "the end of all")


@pytest.mark.parametrize("command", ["sleep 1000 & exec sleep 900", "exec 3>&1; sleep 900 & wait"])
def test_what_stays_is_counted(run, command):
    """A supervisor, or a companion, of another name in a unit of its own."""
    before = Before()
    run("systemd-run", "-q", "--unit=companion", "sh", "-c", command)
    program = PROGRAM if "1000" in command else ("sleep", "900")
    try:
        wait_until(lambda: len(before.since(())) == 2 and len(before.since(program)) == 1, "both of its programs")
        found = before.since(program)
        wait_until(lambda: memory_of(found[0]) > 100, "its memory")
    finally:
        run("systemctl", "stop", "companion")
    wait_until(lambda: before.since(()) == [], "the end of all")


def test_what_stays_with_the_caller_is_counted(run):
    """A daemon that a command leaves behind in the control group it was called in."""
    before = Before()
    run("setsid -f sleep 901 </dev/null >/dev/null 2>&1")
    wait_until(lambda: commands(before.since(PROGRAM)) == ["sleep 901"], "it")
    run("kill", *map(str, before.since(PROGRAM)))
    wait_until(lambda: before.since(()) == [], "its end")
