"""Restarts, on a systemd that is a table of what is bound to what."""

from __future__ import annotations

import pytest

from nsunit.core.context import Context
from nsunit.core.jobs import Outcome
from nsunit.deeds import restart as restart_module
from nsunit.deeds import stop as stop_module
from nsunit.deeds.restart import restart
from nsunit.errors import BusError


class FakeSystemd:
    """`bound` has what is bound to a unit, `required` what requires it; all but those in `ended` run."""

    def __init__(self):
        self.bound = {}
        self.required = {}
        self.ended = ()
        self.started = []

    def get(self, unit, *names):
        state = {"ActiveState": "inactive" if unit in self.ended else "active", "LoadState": "loaded"}
        found = {"BoundBy": self.bound.get(unit, ()), "RequiredBy": self.required.get(unit, ()), "ConsistsOf": ()}
        return {name: (found | state)[name] for name in names}

    def start(self, unit):
        if unit == "broken.service":
            raise BusError("org.freedesktop.systemd1.NoSuchUnit", "Unit x.service not found.")
        self.started.append(unit)

    def list_units(self, patterns):
        return []


@pytest.fixture
def context(monkeypatch):
    found = Context()
    found._bus = FakeSystemd()
    found.done = []

    def deed(what):
        def run(_context, names, *_more):
            found.done.append((what, list(names)))
            return [Outcome(name, what) for name in names]

        return run

    monkeypatch.setattr(stop_module, "stop", deed("stopped"))
    monkeypatch.setattr(restart_module, "start", deed("started"))
    monkeypatch.setattr(restart_module, "_unusable", lambda _context, name, _names: None)
    return found


def test_what_is_bound_to_it_is_restarted_too(context):
    context.bus.bound = {
        "nsunit-a.service": ("nsunit-c.service", "nsunit-b.service", "other.service", "nsunit-d-run-12ab34cd.scope"),
        "nsunit-b.service": ("nsunit-a.service", "nsunit-e.service"),
        "nsunit-c.service": ("nsunit-gone.service",),
    }
    context.bus.ended = ("nsunit-gone.service",)
    outcomes = restart(context, ["a"])
    assert [(item.name, item.state) for item in outcomes] == [(name, "started") for name in ("a", "b", "c", "e")]
    assert context.done == [("stopped", ["a", "b", "c", "e"]), ("started", ["a", "b", "c", "e"])]


def test_so_is_what_requires_it_and_units_that_are_no_containers_are_started_again(context):
    context.bus.required = {
        "nsunit-db.service": ("app.service", "nsunit-app.service", "nsunit-db-health.timer", "x.scope", "off.target"),
        "app.service": ("nsunit-web.service", "broken.service"),
        "nsunit-web.service": ("app.service",),
    }
    context.bus.ended = ("off.target",)
    told = []
    context.warn = told.append
    assert [item.name for item in restart(context, ["db"])] == ["db", "app", "web"]
    assert context.bus.started == ["app.service"]
    assert told == ["warning: broken.service was stopped with it, and is not started again: Unit x.service not found."]


def test_nothing_else_is(context):
    assert [item.name for item in restart(context, ["b", "a"])] == ["b", "a"]


@pytest.mark.parametrize(
    ("unit", "mode", "killed", "removed"),
    [
        ("nsunit-a.service", "process", ["nsunit-a.service"], True),  # its carrier stays while somebody has its pipe
        ("nsunit-a.service", "mixed", [], True),
        ("nsunit-a-run-12ab34cd.scope", "control-group", [], False),  # `run` takes back itself what it did
    ],
)
def test_what_is_left_after_a_stop(context, monkeypatch, unit, mode, killed, removed):
    done = []
    context.bus.kill = lambda unit, whom, number: done.append((unit, whom, number))
    for name in ("forget_failed", "forget_failed_listeners", "_let_read"):
        monkeypatch.setattr(stop_module, name, lambda *_: None)
    monkeypatch.setattr(stop_module, "_remove_runtime", lambda _context, name: done.append(name))
    item = stop_module._Stop("a", unit, 0, "nsunit-a.slice", mode, 15, unit.endswith(".scope"), 10.0)
    assert stop_module._finish_stop(context, item, None, "done", False) == Outcome("a", "stopped", deaf_to=15)
    assert done == [*((unit, "all", 9) for unit in killed), *(["a"] if removed else [])]


def test_what_is_refused_because_others_are_is_not_stopped(context, monkeypatch):
    def unusable(_context, name, names):
        needs = {"a": "b", "b": "c", "c": "x"}.get(name, name)  # each can be restarted with another only
        return None if needs in names else Outcome(name, "failed")

    monkeypatch.setattr(restart_module, "_unusable", unusable)
    states = {item.name: item.state for item in restart(context, ["a", "b", "c", "d"])}
    assert states == {"a": "failed", "b": "failed", "c": "failed", "d": "started"}
    assert context.done == [("stopped", ["d"]), ("started", ["d"])]
