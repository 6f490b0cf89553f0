"""Tunnels of a container that runs."""

import os
import types

from nsunit.features.tunnels import deeds
from nsunit.features.tunnels import setup as tunnel

TUNNEL = tunnel.Tunnel("/proxyd", "", "nsunit-db.service", "5432", "15432")


def test_one_that_has_ended_is_told(monkeypatch):
    other = tunnel.Tunnel("/proxyd", "", "nsunit-db.service", "5432", "/run/db.sock")
    monkeypatch.setattr(deeds, "_place_of", {7: "15432", 8: "/run/db.sock"}.get)
    processes = [types.SimpleNamespace(pid=7, command="/proxyd 127.0.0.1:5432")]
    assert deeds.broken_tunnels("web", [TUNNEL, other], processes) == [
        "its tunnel from '/run/db.sock' to port 5432 of 'db' is broken, as the proxy has ended; 'nsunit restart web' "
        "makes it anew"
    ]
    assert deeds._place_of(os.getpid()) is None
    monkeypatch.undo()
    assert deeds._place_of(os.getpid()) == ""
    assert deeds._place_of(1 << 30) == ""
