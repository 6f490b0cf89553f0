"""Machines of a user-mode kernel, as far as that goes without one."""

import os
import pty
import tty

import pytest
from machine import dev, user_mode
from machine.client import Client, Lost
from machine.qemu import Machine


@pytest.fixture
def line(tmp_path):
    """The path of a port and the descriptor of the machine's end of it, closed by the test."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = tmp_path / "agent.0"
    path.symlink_to(os.ttyname(slave))
    yield path, master, slave
    os.close(slave)


def test_a_line_carries_messages_until_the_machine_ends(line):
    path, master, slave = line
    os.write(master, b'{"of": "the client before"}\n')
    with user_mode.Terminal(path) as terminal:
        client = Client(terminal)
        client.send({"op": "run"})
        assert os.read(master, 100) == b'{"op": "run"}\n'
        os.write(master, b'{"exit": 0}\n')
        assert client.receive(10) == {"exit": 0}
        os.close(master)
        with pytest.raises(Lost, match="the machine is gone"):
            client.receive(10)


def test_a_line_that_nobody_reads_is_told(line):
    path, master, _ = line
    with user_mode.Terminal(path) as terminal:
        terminal.settimeout(0.1)
        with pytest.raises(TimeoutError):
            terminal.sendall(b"x" * 10_000_000)
    os.close(master)


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
    (tmp_path / "fast/agent.0").symlink_to("/dev/pts/0")
    assert isinstance(dev.named("fast"), user_mode.UserMode)
    with pytest.raises(Lost, match="machine fast does not run"), dev.named("fast").client():
        pass
    monkeypatch.setattr(dev.sys, "argv", ["dev", "-m", "fast", "reboot"])
    with pytest.raises(Lost, match="is not rebooted"):
        dev.act(dev.parse())
