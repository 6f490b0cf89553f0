"""Stops, on a systemd that answers as it is told."""

from __future__ import annotations

import errno
import types
from fnmatch import fnmatchcase

import pytest

from nsunit.bus.protocol import Job, UnitStatus
from nsunit.core import listeners
from nsunit.core import running as running_module
from nsunit.core.running import unit_and_state
from nsunit.deeds import start
from nsunit.deeds import stop as module
from nsunit.deeds.start import Starter
from nsunit.errors import BusError
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path, monkeypatch):
    """Containers a and b run, and end when they are asked to; `left` is what is removed of them then."""
    paths = Paths(str(tmp_path), str(tmp_path / "state"))
    bus = types.SimpleNamespace(
        get=lambda unit, *names: {},
        wait_any=lambda jobs, timeout, _beside: (next(iter(jobs)), "done"),
        list_units=lambda patterns: [],
    )
    found = types.SimpleNamespace(paths=paths, bus=bus, batch=None, cgroup="", warn=None, remove_tree=lambda path: True)

    def queue(_context, name, _now, _ends):
        job = Job(f"/{name}", f"nsunit-{name}.service", "stop")
        return job, module._Stop(name, job.unit, 0, f"nsunit-{name}.slice", "mixed", 0, attended=False, timeout=10.0)

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


def test_how_long_each_may_take_is_asked_once(context, monkeypatch):
    """It was asked of all that are left each time that one had ended: 45,000 questions for 300."""
    asked, waited = [], []
    timeouts = {"a": 3_000_000, "b": 20_000_000, "c": "infinity", "d": 2**64 - 1}

    def get(unit, *names):
        asked.extend(name for name in names if name == "TimeoutStopUSec")
        name = unit.removeprefix("nsunit-").partition(".")[0]
        return {"LoadState": "loaded", "ActiveState": "active", "Slice": f"nsunit-{name}.slice"} | (
            {"TimeoutStopUSec": timeouts[name]} if "TimeoutStopUSec" in names else {}
        )

    def wait_any(jobs, timeout, _beside):
        waited.append(timeout - module.GRACE_SECONDS)
        return next(iter(jobs)), "done"

    monkeypatch.undo()
    for name in ("forget_failed", "forget_failure", "forget_failed_listeners", "wait_for_run", "_let_read"):
        monkeypatch.setattr(module, name, lambda *_: None)
    context.bus.get, context.bus.wait_any = get, wait_any
    context.bus.stop = lambda unit: Job(f"/{unit}", unit, "stop")
    outcomes = module.stop(context, [*"dcba"])
    assert [item.state for item in outcomes] == ["stopped"] * 4
    assert len(asked) == 4
    assert waited == [86400, 86400, 86400, 86400]
    waited.clear()
    module.stop(context, ["c", "b", "a"])
    assert waited == [20, 20, 10]


def running(unit, *names):
    """What systemd says of a service or slice of a container that runs."""
    name = unit.removeprefix("nsunit-").partition(".")[0]
    said = {"LoadState": "loaded", "ActiveState": "active", "Slice": f"nsunit-{name}.slice", "KillMode": "mixed"}
    return {key: value for key, value in said.items() if key in names}


def sockets(*names):
    return [UnitStatus(f"nsunit-{name}.socket", "", "loaded", "failed", "failed", "") for name in names]


@pytest.mark.parametrize("lost", [False, True])
def test_systemd_lists_its_units_once_for_all_that_stop(context, monkeypatch, lost):
    """It goes through all that it has each time, thousands with a thousand containers."""
    listed, forgotten = [], []

    def list_units(patterns):
        listed.append(patterns)
        if lost and len(listed) == 1:
            raise BusError("org.freedesktop.DBus.Error.NoReply", "no answer")
        return [unit for unit in sockets("c") if any(fnmatchcase(unit.name, pattern) for pattern in patterns)]

    monkeypatch.undo()
    for name in ("forget_failed", "forget_failure", "wait_for_run", "_let_read"):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(listeners, "forget_failed", lambda _context, unit: forgotten.append(unit))
    context.bus.get, context.bus.list_units = running, list_units
    context.bus.stop = lambda unit: Job(f"/{unit}", unit, "stop")
    outcomes = module.stop(context, [*"abcdefgh"])
    assert [item.state for item in outcomes] == ["stopped"] * 8
    assert forgotten == ["nsunit-c.socket"]
    assert len(listed) == (9 if lost else 2)


def test_a_foreground_scope_is_looked_for_where_the_service_does_not_run(context):
    """And is what stops then."""

    def get(unit, *names):
        return (
            running("nsunit-a.service", *names) if unit.endswith((".scope", ".slice")) else {"LoadState": "not-found"}
        )

    scope = UnitStatus("nsunit-a-run-12ab34cd.scope", "", "loaded", "active", "running", "")
    context.bus.get, context.bus.list_units = get, lambda patterns: [scope]
    assert unit_and_state(context, "a", "LoadState", "ActiveState") == (
        scope.name,
        {"LoadState": "loaded", "ActiveState": "active"},
    )
    context.bus.get = running
    assert unit_and_state(context, "a", "ActiveState") == ("nsunit-a.service", {"ActiveState": "active"})


def test_starts_that_are_given_up_stop_at_the_same_time(context, monkeypatch):
    """One after the other each took its TimeoutStopSec=: eleven minutes for 66."""
    done = []
    starter = Starter(context)
    for name in "abc":
        starter.waiting[Job(f"/{name}", f"nsunit-{name}.service", "start")] = name
    monkeypatch.setattr(running_module, "catches", lambda pid, signal: pid != 7)
    monkeypatch.setattr(start, "stop_what_is_left", lambda _context, unit: done.append(("wait", unit)))
    monkeypatch.setattr(starter, "clear", lambda item: done.append(("clear", item)))
    context.bus.get = lambda unit, *names: {"MainPID": 7 if "-b." in unit else 8, "KillSignal": 15}
    context.bus.stop = lambda unit: done.append(("stop", unit))
    context.bus.kill = lambda unit, whom, signal: done.append(("kill", unit))
    starter.abandon()
    a, b, c = (f"nsunit-{name}.service" for name in "abc")
    assert done[:4] == [("stop", a), ("stop", b), ("kill", b), ("stop", c)]
    assert done[4:] == [step for name in "cba" for step in (("wait", f"nsunit-{name}.service"), ("clear", name))]
