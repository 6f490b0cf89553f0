"""Detaching a container, without a kernel that has its links."""

import fcntl
import os
import types

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
