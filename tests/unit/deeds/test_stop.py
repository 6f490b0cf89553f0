"""Stops, on a systemd that answers as it is told."""

from __future__ import annotations

import errno
import types

import pytest

from nsunit.bus.protocol import Job
from nsunit.deeds import stop as module
from nsunit.errors import BusError
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path, monkeypatch):
    """Containers a and b run, and end when they are asked to; `left` is what is removed of them then."""
    paths = Paths(str(tmp_path), str(tmp_path / "state"))
    bus = types.SimpleNamespace(get=lambda unit, *names: {}, wait_any=lambda jobs, timeout: (next(iter(jobs)), "done"))
    found = types.SimpleNamespace(paths=paths, bus=bus, batch=None, cgroup="", warn=None, remove_tree=lambda path: True)

    def queue(_context, name, _now):
        job = Job(f"/{name}", f"nsunit-{name}.service", "stop")
        return job, module._Stop(name, job.unit, 0, f"nsunit-{name}.slice", "mixed", 0, attended=False)

    monkeypatch.setattr(module, "_queue_stop", queue)
    monkeypatch.setattr(module, "unit_of", lambda _context, name: f"nsunit-{name}.service")
    for name in ("forget_failed", "forget_failure", "forget_failed_listeners"):
        monkeypatch.setattr(module, name, lambda *_: None)
    return found


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BusError("org.freedesktop.DBus.Error.NoReply", "a: no answer"), "a: no answer"),
        (OSError(errno.EROFS, "Read-only file system", "/run/x"), "a: /run/x: Read-only file system"),
    ],
)
def test_one_of_which_something_stays_leaves_the_others_alone(context, error, message):
    """It used to end the command before what others had in /run was removed."""

    def remove_tree(path):
        if path.endswith("/a"):
            raise error
        removed.append(path)

    removed = []
    context.bus.get = lambda unit, *names: {"LoadState": "not-found"} if unit.endswith(".service") else {}
    context.remove_tree = remove_tree
    first, second = module.stop(context, ["a", "b"])
    assert (first.state, first.error.message) == ("failed", message)
    assert (second.state, second.error) == ("stopped", None)
    assert removed == [context.paths.runtime_of("b"), context.paths.network_of("b")]
