"""The child that keeps the kernel ready: what it holds, what it writes, and that it ends."""

import os
import signal
import time

import pytest

from nsunit.storage import lock as moving
from nsunit.storage.lock import Moving


@pytest.fixture
def procs(tmp_path, monkeypatch):
    """The file that stands for cgroup.procs of this process's cgroup."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(moving, "_IDLE", 0)
    monkeypatch.setattr(moving, "_DURATION", 600)
    monkeypatch.setattr(moving, "own_path", lambda _content: "/user.slice")
    path = tmp_path / "user.slice/cgroup.procs"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_there(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_moves_itself_again_and_again_and_holds_nothing(procs, tmp_path):
    own = Moving(str(tmp_path))
    own.begin()
    try:
        until(lambda: len(procs.read_text()) > 2)
        assert set(procs.read_text()) == {"0"}  # whoever writes it
        fds = [os.readlink(f"/proc/{own.child}/fd/{fd}") for fd in os.listdir(f"/proc/{own.child}/fd")]
        assert fds == [str(procs)]
    finally:
        child = own.child
        own.end()
    until(lambda: not is_there(child))
    own.end()  # there is none


def test_one_is_enough(procs, tmp_path):
    own = Moving(str(tmp_path))
    own.begin()
    first = own.child
    own.begin()
    assert own.child == first
    own.end()


def test_users_have_none(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    own = Moving(str(tmp_path))
    own.begin()
    assert not own.child


def test_where_others_move_processes_it_is_not_needed(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_IDLE", 600)
    own = Moving(str(tmp_path))
    own.begin()
    until(lambda: not is_there(own.child))
    assert procs.read_text() == "0"
    own.end()


def test_it_ends_by_itself(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_DURATION", 0.01)
    own = Moving(str(tmp_path))
    own.begin()
    until(lambda: not is_there(own.child))
    own.end()


def test_it_ends_with_a_command_that_is_killed(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_DURATION", 600)
    reader, writer = os.pipe()
    command = os.fork()
    if command == 0:
        own = Moving(str(tmp_path))
        own.begin()
        os.write(writer, b"%d" % own.child)
        signal.pause()
    child = int(os.read(reader, 16))
    assert is_there(child)
    os.kill(command, signal.SIGKILL)
    os.waitpid(command, 0)
    until(lambda: not is_there(child))
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("lost", ["procs", "fork"])
def test_without_the_permission_nothing_is_lost(procs, tmp_path, monkeypatch, lost):
    if lost == "procs":
        procs.unlink()
    else:
        monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(11, "no more processes")))
    own = Moving(str(tmp_path))
    own.begin()
    until(lambda: not own.child or not is_there(own.child))
    own.end()


def test_a_signal_in_the_child_unwinds_nothing_of_the_command(procs, tmp_path, capfd):
    own = Moving(str(tmp_path))
    own.begin()
    until(procs.read_text)
    os.kill(own.child, signal.SIGINT)  # Python's handler raises KeyboardInterrupt
    until(lambda: not is_there(own.child))
    own.end()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"0::/user.slice/a b\n", "/user.slice/a b"),
        (b"1:name=systemd:/x\n0::/\n", ""),
        (b"2:cpu:/y\n0::/nsunit.slice\n", "/nsunit.slice"),
        (b"1:name=systemd:/x\n", ""),
    ],
)
def test_where_it_is(content, path):
    assert moving.own_path(content) == path
