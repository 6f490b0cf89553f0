"""What runs in the scope of a build, and how it ends."""

import types

import pytest

from nsunit.features.builds import carry
from nsunit.units import Unit


@pytest.fixture
def context(tmp_path):
    """A systemd that makes the scope, and which the command is interrupted at; it sees what has ended by then."""
    seen = []

    def wait(_job, _timeout):
        return "done"

    def stopped(_context, _name, _timeout):
        seen.append((tmp_path / "ended").exists())

    bus = types.SimpleNamespace(start_transient=lambda *_: "job", wait=wait)
    return types.SimpleNamespace(bus=bus), stopped, seen


def test_what_is_built_ends_before_its_slice_does(tmp_path, context, monkeypatch):
    """buildah runs `nsunit-oci delete` when it is to end: in the slice that was ended with it, and the state stayed."""
    given, stopped, seen = context
    monkeypatch.setattr(carry, "stop_what_is_left", stopped)
    script = (
        f"trap 'sleep 0.2; touch {tmp_path}/ended; exit' TERM; touch {tmp_path}/begun; while :; do sleep 0.01; done"
    )
    wait = carry.os.waitpid

    def interrupted(pid, options):
        while not (tmp_path / "begun").exists():
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(carry.os, "waitpid", interrupted)
    with pytest.raises(KeyboardInterrupt):
        carry.carried_out(given, "x", Unit("x.slice", ()), ["/bin/sh", "-c", script])
    monkeypatch.setattr(carry.os, "waitpid", wait)
    wait(-1, 0)
    assert seen == [True]
