"""Tunnels whose processes are killed while they are made."""

import os
import types

import pytest

from nsunit.manager import linked
from nsunit.setup import tunnel

TUNNEL = tunnel.Tunnel("/proxyd", "", "nsunit-db.service", "5432", "15432")
WAYS = {
    "before": lambda: os.kill(os.getpid(), 9),
    "failed": lambda: (_ for _ in ()).throw(OSError(2, "there is none")),
}


@pytest.mark.parametrize(("way", "told"), [("before", "its process was killed"), ("failed", "there is none")])
def test_the_proxy_does_not_get_to_run(monkeypatch, way, told):
    monkeypatch.setattr(tunnel.Tunnel, "_become_proxy", lambda *_: WAYS[way]())
    with pytest.raises(OSError, match=told):
        TUNNEL._start(0, -1, ())


@pytest.mark.parametrize(("way", "told"), [("before", "its process was killed"), ("failed", "there is none")])
def test_the_sockets_do_not_come(way, told):
    with pytest.raises(OSError, match=told):
        tunnel._from_child(WAYS[way])


def test_a_proxy_that_runs(monkeypatch):
    monkeypatch.setattr(tunnel.Tunnel, "_become_proxy", lambda *arguments: os.write(arguments[-1], tunnel._STARTED))
    TUNNEL._start(0, -1, ())


def test_one_that_has_ended_is_told(monkeypatch):
    other = tunnel.Tunnel("/proxyd", "", "nsunit-db.service", "5432", "/run/db.sock")
    monkeypatch.setattr(linked, "_place_of", {7: "15432", 8: "/run/db.sock"}.get)
    processes = [types.SimpleNamespace(pid=7, command="/proxyd 127.0.0.1:5432")]
    assert linked.broken_tunnels("web", [TUNNEL, other], processes) == [
        "its tunnel from '/run/db.sock' to port 5432 of 'db' is broken, as the proxy has ended; 'nsunit restart web' "
        "makes it anew"
    ]
    assert linked._place_of(os.getpid()) is None
    monkeypatch.undo()
    assert linked._place_of(os.getpid()) == ""
    assert linked._place_of(1 << 30) == ""
