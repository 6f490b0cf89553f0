"""Machines of a user-mode kernel, as far as that goes without one."""

import contextlib
import os
import socket

import pytest
from machine import dev, user_mode
from machine.client import Client, Lost
from machine.qemu import Machine


@pytest.fixture
def line(tmp_path):
    """The path of a line, and the machine's end of it: the machine is this process."""
    with contextlib.ExitStack() as stack:
        near, far = (stack.enter_context(end) for end in socket.socketpair())
        (tmp_path / "pid").write_text(str(os.getpid()))
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
    with pytest.raises(Lost, match="is not rebooted"):
        dev.act(dev.parse())
