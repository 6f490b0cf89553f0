"""Registration with systemd-machined of containers that are no systems; for those that are see test_boot."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

SLEEPER = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\nRegister=yes\n"


def machines(run):
    return {line.split()[0]: line.split()[1:3] for line in run("machinectl", "list", "--no-legend").stdout.splitlines()}


def leader(run, name):
    return int(run("machinectl", "show", "--property=Leader", "--value", name).stdout)


def test_a_registered_container(containers, nsunit, run):
    container = containers.start(SLEEPER + "[Service]\nRestart=always\nRestartSec=0\n")
    assert machines(run)[container.name] == ["container", "nsunit"]
    assert leader(run, container.name) == container.pid
    shown = run("machinectl", "show", "--property=Unit", "--property=RootDirectory", container.name).stdout
    assert sorted(shown.splitlines()) == [f"RootDirectory=/proc/{container.pid}/root", f"Unit={container.service}"]
    # A restart that nobody asked nsunit for registers again, also after systemd has read its own file of the unit.
    run("systemctl", "daemon-reload")
    before = container.pid
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: container.show("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"})
    assert leader(run, container.name) == container.pid != before
    # machined notices by itself that it has ended.
    nsunit("stop", container.name)
    assert container.name not in machines(run)


def test_a_failed_start_says_what_has_failed_only(containers, nsunit, run):
    name = containers.define(SLEEPER.replace("sleep 1000", "/no/such"))
    done = nsunit("start", name, check=False)
    assert (done.returncode, "Failed to execute '/no/such'" in done.stderr) == (1, True), done.stderr
    run("journalctl", "--sync")
    for words in (["logs", name], ["status", name]):
        text = nsunit(*words, check=False).stdout
        assert "Failed to execute" in text
        assert "No machine" not in text


def test_machinectl_terminate(containers, nsunit, run):
    container = containers.start(SLEEPER + "[Service]\nTimeoutStopSec=1s\n")
    if "Subgroup=payload" in run("machinectl", "show", container.name).stdout.splitlines():
        # Newer ones stop no unit of which the machine is only a part, but signal who has registered it.
        done = run("machinectl", "terminate", container.name, check=False)
        assert (done.returncode, "No such process" in done.stderr) == (1, True), done.stderr
        assert container.show("ActiveState") == {"ActiveState": "active"}
        return
    run("machinectl", "terminate", container.name)
    nsunit("wait", container.name, check=False)
    assert container.name not in machines(run)
    assert not container.cgroup.exists()


def test_an_instance_has_a_name_that_machined_takes(containers, nsunit, run):
    template = containers.define(SLEEPER, "machined-many@")
    name = containers.own(f"{template}1")
    nsunit("start", name)
    (machine,) = (machine for machine in machines(run) if machine.startswith("machined-many-1-"))
    assert leader(run, machine) == containers.of(name).pid


def test_others_are_not_registered(containers, run):
    container = containers.start(SLEEPER.replace("Register=yes\n", ""))
    assert container.name not in machines(run)
    assert "busctl" not in run("systemctl", "cat", container.service).stdout


def test_a_machined_that_refuses_does_not_matter(containers, run):
    """Somebody else has the name already."""
    name = containers.define(SLEEPER)
    with subprocess.Popen(["sleep", "1000"]) as other:
        manager = ("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager")
        arguments = ("sayssus", name, "0", "test", "container", str(other.pid), "")
        run("busctl", "call", *manager, "RegisterMachine", *arguments)
        run("nsunit", "start", name)
        assert leader(run, name) == other.pid
        assert containers.of(name).show("ActiveState")["ActiveState"] == "active"
        other.terminate()
    # Of a program that is gone by then journald does not know the unit.
    wait_until(
        lambda: f"'{name}' already exists" in run("journalctl", "-b", "-o", "cat").stdout, "what it says of that"
    )


@pytest.fixture
def no_machined():
    """Hide systemd-machined as a machine without the package has it."""
    path = Path("/usr/lib/systemd/systemd-machined")
    hidden = path.with_name("systemd-machined.hidden")
    path.rename(hidden)
    yield
    hidden.rename(path)


def test_without_machined(containers, nsunit, no_machined):
    name = containers.define(SLEEPER)
    done = nsunit("start", name, check=False)
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            f"nsunit: {name}: Register=yes needs systemd-machined, which is not installed",
            "  hint: install the package 'systemd-container'",
        ],
    )
    assert containers.left() == []


def test_a_message_bus_that_stands_still(containers, nsunit, run):
    """It keeps nothing from starting: registration is given up."""
    bus = int(run("systemctl", "show", "--property=MainPID", "--value", "dbus.service").stdout)
    os.kill(bus, signal.SIGSTOP)
    try:
        container = containers.start(SLEEPER)
    finally:
        os.kill(bus, signal.SIGCONT)
    assert container.show("ActiveState") == {"ActiveState": "active"}
    nsunit("stop", container.name)
