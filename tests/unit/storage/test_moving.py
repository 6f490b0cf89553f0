"""The thread that keeps the kernel ready: what it writes, and that it ends."""

import os
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


def is_there(task):
    return os.path.exists(f"/proc/self/task/{task}")


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def test_it_moves_the_command_again_and_again_until_it_is_ended(procs, tmp_path):
    before = descriptors()
    own = Moving(str(tmp_path))
    for _ in range(2):
        procs.write_text("")
        own.begin()
        task = own.task
        try:
            until(lambda: len(procs.read_text()) > 2)
            assert set(procs.read_text()) == {"0"}  # whoever writes it
            assert is_there(task)
        finally:
            own.end()
        assert not is_there(task)
        own.end()  # there is none
    assert descriptors() == before


def test_one_is_enough(procs, tmp_path):
    own = Moving(str(tmp_path))
    own.begin()
    first = own.task
    own.begin()
    assert own.task == first
    own.end()


def test_users_have_none(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    own = Moving(str(tmp_path))
    own.begin()
    assert not own.task
    own.end()


def test_where_others_move_processes_it_is_not_needed(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_IDLE", 600)
    own = Moving(str(tmp_path))
    own.begin()
    until(lambda: not is_there(own.task))
    assert procs.read_text() == "0"
    own.end()


def test_it_ends_by_itself(procs, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_DURATION", 0.01)
    own = Moving(str(tmp_path))
    own.begin()
    until(lambda: not is_there(own.task))
    own.end()


def test_without_the_permission_nothing_is_lost(procs, tmp_path, capfd):
    procs.unlink()
    own = Moving(str(tmp_path))
    own.begin()
    until(lambda: not is_there(own.task))
    own.end()
    assert capfd.readouterr() == ("", "")


def test_without_a_thread_nothing_is_lost(procs, tmp_path, monkeypatch):
    def start_new_thread(*_arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(moving._thread, "start_new_thread", start_new_thread)
    own = Moving(str(tmp_path))
    own.begin()
    assert not own.task
    own.end()


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
