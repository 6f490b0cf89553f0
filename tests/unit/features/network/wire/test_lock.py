"""Waiting for the lock on the host's links, and what systemd is told meanwhile."""

import fcntl
import os
import socket
import threading

import pytest

from nsunit.features.network import program as run
from nsunit.features.network.wire import lock as patience


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The service manager's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{tmp_path}/notify")
        server.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/notify")
        yield server


def test_a_free_lock_needs_no_time(tmp_path, manager):
    with run.locked(str(tmp_path)):
        pass
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_more_time_is_asked_for_again_and_again_but_not_for_ever(tmp_path, manager, monkeypatch):
    monkeypatch.setattr(patience, "_STEP_SECONDS", 0.01)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.035)
    holder = os.open(f"{tmp_path}/{run.LOCK}", os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    got = []

    def listen():
        try:
            while True:
                got.append(manager.recv(100))
                manager.settimeout(0.2)
        except TimeoutError:
            os.close(holder)

    listener = threading.Thread(target=listen)
    listener.start()
    with run.locked(str(tmp_path)):
        listener.join()
    assert got == [b"EXTEND_TIMEOUT_USEC=30000000"] * 3


def test_a_manager_that_is_gone_is_none(tmp_path, monkeypatch):
    for address in ("", f"{tmp_path}/none", "@nsunit-test-none"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        patience.ask_for(1)
