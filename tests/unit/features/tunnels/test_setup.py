"""Tunnels whose processes are killed while they are made."""

import os

import pytest

from nsunit.features.tunnels import setup as tunnel

TUNNEL = tunnel.Tunnel("/proxyd", "", "nsunit-db.service", "5432", "15432")
WAYS = {
    "before": lambda: os.kill(os.getpid(), 9),
    "failed": lambda: (_ for _ in ()).throw(OSError(2, "there is none")),
}


@pytest.mark.parametrize(("way", "told"), [("before", "its process was killed"), ("failed", "there is none")])
@pytest.mark.parametrize("attached", [False, True])
def test_the_proxy_does_not_get_to_run(monkeypatch, way, told, attached):
    monkeypatch.setattr(tunnel.Tunnel, "_become_proxy", lambda *_: WAYS[way]())
    with pytest.raises(OSError, match=told):
        TUNNEL._start(0, -1, (), attached=attached)


@pytest.mark.parametrize(("way", "told"), [("before", "its process was killed"), ("failed", "there is none")])
def test_the_sockets_do_not_come(way, told):
    with pytest.raises(OSError, match=told):
        tunnel._from_child(WAYS[way])


@pytest.mark.parametrize("attached", [False, True])
def test_a_proxy_that_runs(monkeypatch, attached):
    monkeypatch.setattr(tunnel.Tunnel, "_become_proxy", lambda *arguments: os.write(arguments[-2], tunnel._STARTED))
    TUNNEL._start(0, -1, (), attached=attached)
