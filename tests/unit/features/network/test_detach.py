"""Detaching a container, without a kernel that has its links."""

import contextlib
import fcntl
import os
import threading
import types
from pathlib import Path

import pytest

from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.features.network.model import attachment


@pytest.fixture
def done(tmp_path, monkeypatch):
    """What is done, and whether the lock on links and rules is held meanwhile."""
    found = []

    def note(what):
        fd = os.open(f"{tmp_path}/{program.LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append((what, "free"))
        except BlockingIOError:
            found.append((what, "locked"))
        finally:
            os.close(fd)

    monkeypatch.setattr(program.removal, "delete", note)
    monkeypatch.setattr(program.hosts, "leave", lambda container, _locks: note(container))
    monkeypatch.setattr(program.ruleset, "Ruleset", lambda: types.SimpleNamespace(close=lambda: note("closed")))
    monkeypatch.setattr(program, "_unguard", lambda *_: note("rules"))
    monkeypatch.setattr(program, "_follow", lambda _locks: note("names"))
    return found


def connected(*links):
    """The attachment of a container with these links."""
    network = attachment.Network("bridge", "nsunit0", ("10.91.0.0/24",), ("10.91.0.1",))
    places = enumerate(links, 2)
    return attachment.Attachment(
        "web",
        tuple(
            attachment.Interface(network, "eth0", link, "0a:58:0a:5b:00:02", (f"10.91.0.{place}/24",), (), 1500)
            for place, link in places
        ),
    )


def test_nobody_waits_while_the_links_go(done, tmp_path):
    """The kernel takes 20 ms for one; what others change of links and rules had to wait for it."""
    program.detach(connected("nv-1", "nv-2"), str(tmp_path))
    assert done == [
        ("nv-1", "free"),
        ("nv-2", "free"),
        ("web", "locked"),
        ("rules", "locked"),
        ("names", "free"),
        ("closed", "free"),
    ]


def test_the_rules_go_though_a_link_does_not(done, tmp_path, monkeypatch):
    def refuse(link):
        raise NsunitError(f"cannot remove the link '{link}': Operation not permitted")

    monkeypatch.setattr(program.removal, "delete", refuse)
    with pytest.raises(NsunitError, match="^cannot remove the link 'nv-1'"):
        program.detach(connected("nv-1"), str(tmp_path))
    assert [what for what, _ in done] == ["web", "rules", "names", "closed"]


def test_who_comes_late_detaches_nobody(done, tmp_path, monkeypatch):
    """Neither what its unit has detached, nor what has been started again: that has a file of its own."""
    locks = str(tmp_path / "locks")
    monkeypatch.setattr(program.hosts, "directory_of", lambda *_: str(tmp_path))
    monkeypatch.setattr(program, "read", lambda *_: connected("nv-1"))
    monkeypatch.setattr(program, "locked", lambda _locks, **_wait: contextlib.nullcontext(types.SimpleNamespace(fd=-1)))
    path = program.attachment.attached_path("web", locks)
    assert path == f"{tmp_path}/attached/web"
    program.note_attached("web", locks)
    first = os.open(path, os.O_RDONLY)
    program.note_attached("web", locks)
    program.detach_ended("web", first, locks, None)
    assert (done, os.path.exists(path)) == ([], True)
    second = os.open(path, os.O_RDONLY)
    program.detach_ended("web", second, locks, None)
    assert ([what for what, _ in done], os.path.exists(path)) == (["nv-1", "web", "rules", "names", "closed"], False)
    program.detach_ended("web", second, locks, None)
    assert len(done) == 5
    for fd in (first, second):
        os.close(fd)


def test_a_start_that_meets_the_end_of_who_detaches_goes_on(tmp_path, monkeypatch):
    locks = str(tmp_path / "locks")
    path = program.attached_path("web", locks)
    program.note_attached("web", locks)
    opened = os.open

    def late(*words):
        try:
            return opened(*words)
        except FileExistsError:
            os.unlink(path)
            raise

    monkeypatch.setattr(program.os, "open", late)
    program.note_attached("web", locks)
    assert os.path.exists(path)


def test_a_start_waits_for_who_detaches_what_ran_before(tmp_path):
    locks = str(tmp_path / "locks")
    path = program.attached_path("web", locks)
    program.note_attached("web", locks)
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    starting = threading.Thread(target=program.note_attached, args=("web", locks))
    starting.start()
    row = f":{os.fstat(fd).st_ino} "
    while not any("->" in line and row in line for line in Path("/proc/locks").read_text().splitlines()):
        assert starting.is_alive()
    os.unlink(path)
    os.close(fd)
    starting.join(30)
    assert os.path.exists(path)
