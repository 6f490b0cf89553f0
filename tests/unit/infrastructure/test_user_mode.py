"""Machines of a user-mode kernel, as far as that goes without one."""

import contextlib
import os
import re
import socket
import subprocess
import time

import pytest
from machine import dev, needs, owned, user_mode
from machine.client import Client, Lost
from machine.qemu import Machine


@pytest.fixture
def line(tmp_path):
    """The path of a line, and the machine's end of it: the machine is this process."""
    with contextlib.ExitStack() as stack:
        near, far = (stack.enter_context(end) for end in socket.socketpair())
        owned.note(tmp_path / "pid", os.getpid())
        path = tmp_path / "line.0"
        path.write_text(str(far.fileno()))
        yield path, near, far


def test_a_line_carries_messages_until_the_machine_ends(line):
    path, near, far = line
    near.send(b'{"of": "the client before"}\n')
    with user_mode.dial(path) as connection:
        client = Client(connection)
        client.send({"op": "run"})
        assert near.recv(100) == b'{"op": "run"}\n'
        near.send(b'{"exit": 0}\n')
        assert client.receive(10) == {"exit": 0}
        near.close()
        far.close()
        with pytest.raises(Lost, match="the machine is gone"):
            client.receive(10)


def test_a_line_that_is_not_there(line):
    path, _, _ = line
    path.write_text("1000")
    with pytest.raises(OSError, match="Bad file descriptor"):
        user_mode.dial(path)


def test_archives_go_by_a_file_where_a_directory_is_shared(tmp_path):
    with Client(None).handed_over(b"tar") as handed:
        assert handed == {"tar": "dGFy"}
    client = Client(None)
    client.shared = tmp_path
    with client.handed_over(b"tar") as handed:
        assert (tmp_path / handed["file"]).read_bytes() == b"tar"
    assert list(tmp_path.iterdir()) == []


def test_a_machine_is_known_by_its_ports(tmp_path, monkeypatch):
    monkeypatch.setenv("NSUNIT_MACHINES", str(tmp_path))
    assert isinstance(dev.named("none"), Machine)
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast/line.0").touch()
    assert isinstance(dev.named("fast"), user_mode.UserMode)
    with pytest.raises(Lost, match="machine fast does not run"), dev.named("fast").client():
        pass
    monkeypatch.setattr(dev.sys, "argv", ["dev", "-m", "fast", "reboot"])
    with pytest.raises(Lost, match="machine fast does not run"):
        dev.act(dev.parse())


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine that is a program in place of unshare(1)."""
    monkeypatch.setenv("NSUNIT_MACHINES", str(tmp_path / "machines"))
    monkeypatch.setattr(user_mode, "kernel", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    machine = user_mode.UserMode("one")
    yield machine
    machine.stop()


def boots(path, script):
    (path / "unshare").write_text(f"#!/bin/sh\n{script}\n")
    (path / "unshare").chmod(0o755)


def test_why_a_machine_does_not_run_is_told(machine, tmp_path):
    boots(tmp_path, "echo; echo 'seccomp: not permitted'; echo 'mem=2048M: no room'; exit 1")
    machine.start(tmp_path, tied=True)
    while machine.pid():
        time.sleep(0.01)
    said = "machine one does not run; its console said last: seccomp: not permitted | mem=2048M: no room"
    with pytest.raises(Lost, match=re.escape(said)):
        machine.wait_for_boot()
    assert needs.refusal_of_user_mode(tmp_path).endswith(
        "; its console said last: seccomp: not permitted | mem=2048M: no room"
    )


def test_machines_take_turns_with_the_processors(machine, tmp_path, monkeypatch):
    """By chance, two of three could have the same, and the third one for itself."""
    given = []
    monkeypatch.setattr(user_mode.os, "sched_getaffinity", lambda pid: {3, 5})
    monkeypatch.setattr(user_mode.os, "sched_setaffinity", lambda pid, processors: given.append(processors))
    boots(tmp_path, "exit 1")
    for _ in range(3):
        machine.start(tmp_path, tied=True)
        while machine.pid():
            time.sleep(0.01)
    assert given[0] == given[2] != given[1]


def test_a_machine_that_ends_is_booted_once_more(machine, tmp_path, monkeypatch):
    boots(tmp_path, f"echo >>{tmp_path}/boots")
    assert needs.refusal_of_user_mode(tmp_path)
    assert (tmp_path / "boots").read_text() == "\n\n"


def test_a_process_is_known_whatever_it_executes(tmp_path):
    """Of its command line there is nothing while it does so."""
    process = subprocess.Popen(["sleep", "1000"])
    owned.note(tmp_path / "pid", process.pid)
    assert owned.noted(tmp_path / "pid") == process.pid
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owned.noted(tmp_path / "pid") is None
    process.wait()
    assert owned.noted(tmp_path / "pid") is None
    (tmp_path / "pid").write_text(f"{os.getpid()} 1")
    assert owned.noted(tmp_path / "pid") is None  # it has the number now
