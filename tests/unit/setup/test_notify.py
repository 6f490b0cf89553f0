import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nsunit import setup
from nsunit.setup import notify, spawn


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


def heard(manager):
    message, fds, _, _ = socket.recv_fds(manager, 100, 1)
    for fd in fds:
        os.close(fd)
    return message, len(fds)


def test_who_tells_waits_for_nobody(manager):
    notify.tell(manager.getsockname(), "MAINPID=7")
    notify.tell(manager.getsockname(), "STATUS=\udc80")
    assert [heard(manager), heard(manager)] == [(b"MAINPID=7", 0), (b"STATUS=?", 0)]


def test_who_sends_waits_until_the_barrier_is_closed(manager):
    found = []
    thread = threading.Thread(target=lambda: found.extend(heard(manager) for _ in range(2)))
    thread.start()
    notify.send(manager.getsockname(), "READY=1")
    thread.join()
    assert found == [(b"READY=1", 0), (b"BARRIER=1", 1)]


def test_a_manager_that_does_not_read_is_waited_for_in_vain(manager, monkeypatch):
    monkeypatch.setattr(notify, "BARRIER_TIMEOUT_MSEC", 10)
    with pytest.raises(TimeoutError, match="^the service manager did not take the notification in time$"):
        notify.send(manager.getsockname(), "READY=1")


def test_what_is_told_of_a_failure_is_one_line(manager, tmp_path):
    """A name may have a newline in it, and the manager believes root whatever follows one: MAINPID=, for instance."""
    (tmp_path / "plan").write_bytes(b"no such\\nMAINPID=1\\nstep\n")
    command = (sys.executable, "-SI", Path(setup.__file__).with_name("run.py"), str(tmp_path))
    env = {"NOTIFY_SOCKET": manager.getsockname()}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as helper:
        text = "Failed to set the container up: unknown operation 'no such MAINPID=1 step'"
        assert [heard(manager), heard(manager)] == [(f"STATUS={text}".encode(), 0), (b"BARRIER=1", 1)]
        assert helper.stderr.read() == f"<3>nsunit-setup: {text}\n"
    assert helper.returncode == spawn.EXIT_SETUP


def test_there_is_no_manager(tmp_path):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        notify.send(str(tmp_path / "missing"), "READY=1")
    assert os.listdir("/proc/self/fd") == before
