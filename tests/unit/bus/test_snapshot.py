"""What a verb that reads many containers asks systemd for: each thing once, whatever their number."""

import fnmatch
import types
from collections import Counter

import pytest

from nsunit.bus.protocol import UnitStatus
from nsunit.bus.snapshot import Snapshot
from nsunit.deeds.look import many
from nsunit.errors import BusError

NAMES = (
    *(r"nsunit-a\x2db.service", r"nsunit-a\x2db-run-1.scope", r"nsunit-a\x2db-run-22.scope", "nsunit-a.service"),
    *("nsunit-ab.service", "nsunit-a-port-80.socket", "nsunit-a.socket", "nsunit-a-port-80.service", "nsunit-z.slice"),
)
PATTERNS = (
    *((r"nsunit-a\x2db-run-*.scope",), ("nsunit-a.socket", "nsunit-a-port-*.socket"), ("nsunit-*.service",)),
    *(("nsunit-none-*.scope",), ("nsunit-[az].socket", "nsunit-a*.service"), ()),
)


class Client:
    """Two units, and how often it was asked."""

    def __init__(self):
        self.asked = Counter()

    def list_units(self, patterns):
        self.asked["list"] += 1
        return [UnitStatus(name, "", "loaded", "active", "running", "") for name in reversed(NAMES)]

    def properties(self, unit):
        self.asked["all", unit] += 1
        return {"LoadState": "not-found"} if unit == "gone" else {"LoadState": "loaded", "Id": unit}

    def get(self, unit, *names):
        self.asked["some", unit, *names] += 1
        values = {"LoadState": "not-found"} if unit == "gone" else {"LoadState": "loaded", "Id": unit}
        return {name: value for name, value in values.items() if name in names}

    def stop(self, unit):
        return f"stop {unit}"


@pytest.mark.parametrize("patterns", PATTERNS)
def test_units_are_listed_once(patterns):
    client = Client()
    snapshot = Snapshot(client)
    expected = {name for name in NAMES if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}
    for _ in range(3):
        found = [unit.name for unit in snapshot.list_units(patterns)]
        assert (len(found), set(found)) == (len(expected), expected)
    assert client.asked == {"list": 1}


def test_of_a_few_nobody_else_is_listed():
    """`status` of one had systemd tell of a thousand."""
    client = Client()
    asked = []
    client.list_units = lambda patterns: asked.append(patterns) or []
    for pattern in PATTERNS[:2]:
        Snapshot(client, few=True).list_units(pattern)
    assert asked == [*PATTERNS[:2]]


@pytest.mark.parametrize("number", [1, many._FEW, many._FEW + 1])
def test_status_asks_about_those_that_it_is_of(number, monkeypatch):
    client = Client()
    asked = []
    client.list_units = lambda patterns: asked.append(patterns) or []
    monkeypatch.setattr(many.query, "status", lambda context, name: context.list_units([f"nsunit-{name}.service"]))
    context = types.SimpleNamespace(bus=client, with_bus=lambda bus: bus)
    names = [f"c{count}" for count in range(number)]
    assert len(list(many.statuses(context, names, []))) == number
    assert len(asked) == (number if number <= many._FEW else 1)


@pytest.mark.parametrize("pattern", ["nsunit-*", "nsunit-a.slice", "*.service"])
def test_what_has_slices_in_it_is_asked_for_again(pattern):
    client = Client()
    snapshot = Snapshot(client)
    for _ in range(2):
        snapshot.list_units(["nsunit-a.service", pattern])
    assert client.asked == {"list": 2}


def test_slices_are_listed_once_by_themselves():
    client = Client()
    snapshot = Snapshot(client)
    for _ in range(3):
        assert [unit.name for unit in snapshot.list_units(["nsunit-z*.slice"])] == ["nsunit-z.slice"]
    assert snapshot.list_units(["nsunit-z-*.slice"]) == []
    assert client.asked == {"list": 1}


def test_slices_that_cannot_be_listed_together_are_asked_for_one_by_one():
    """As where the name of anybody's slice is no UTF-8, which its description would have to be."""

    class Refusing(Client):
        def list_units(self, patterns):
            if patterns == ["nsunit-*.slice"]:
                raise BusError("x.InvalidArgs", "not UTF-8")
            return super().list_units(patterns)

    client = Refusing()
    snapshot = Snapshot(client)
    for _ in range(2):
        assert len(snapshot.list_units(["nsunit-z.slice"])) == len(NAMES)  # what it says counts
    assert client.asked == {"list": 2}


def test_where_systemd_looks_for_units_is_asked_once():
    client = Client()
    client.unit_paths = lambda: client.asked.update(["paths"]) or ("/etc/systemd/system",)
    snapshot = Snapshot(client)
    assert [snapshot.unit_paths(), snapshot.unit_paths()] == [("/etc/systemd/system",)] * 2
    assert client.asked == {"paths": 1}


def test_properties_are_asked_for_once():
    client = Client()
    snapshot = Snapshot(client)
    assert snapshot.get("x", "Id", "None") == {"Id": "x"}
    assert snapshot.get("x", "None", "Id", "LoadState") == {"Id": "x", "LoadState": "loaded"}
    assert client.asked == {("some", "x", "Id", "None"): 1, ("some", "x", "LoadState"): 1}
    client.asked.clear()
    assert snapshot.properties("x") == snapshot.properties("x")
    assert snapshot.get("x", "Id", "None") == {"Id": "x"}
    assert client.asked == {("all", "x"): 1}
    snapshot.forget()
    assert snapshot.get("x", "Id") == {"Id": "x"}
    assert client.asked == {("all", "x"): 1, ("some", "x", "Id"): 1}


def test_one_that_is_not_there():
    snapshot = Snapshot(Client())
    for _ in range(2):
        assert snapshot.get("gone", "LoadState", "Id") == {"LoadState": "not-found"}
        snapshot.properties("gone")


def test_all_else_is_the_clients():
    assert Snapshot(Client()).stop("x") == "stop x"
