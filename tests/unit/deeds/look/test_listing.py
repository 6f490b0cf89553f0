"""What `list` asks, of systemd and of the disk: names by one question, the rest by a few for each container."""

from __future__ import annotations

import fnmatch
import types

import pytest

from nsunit.bus.protocol import UnitStatus
from nsunit.deeds.look.listing import container_names, grouped_names
from nsunit.deeds.look.states import list_containers, pod_states, present
from nsunit.definition import search
from nsunit.definition.load import Host
from nsunit.definition.search import SearchPath
from nsunit.names import service_name, slice_name
from nsunit.storage.paths import Paths

BASE = "[Container]\nRootfs=/srv\nVolatile=yes\nExec=/bin/sh\n"


class FakeSystemd:
    """Units with their states and slices; counts what it is asked."""

    def __init__(self):
        self.units = {}
        self.asked = []

    def run(self, name, state="active", group=""):
        self.units[service_name(name)] = state, slice_name(name, group)
        self.units[slice_name(name, group)] = "active", ""

    def list_units(self, patterns):
        self.asked.append("list")
        return [
            UnitStatus(name, "", "loaded", state, "", "")
            for name, (state, _) in self.units.items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]

    def get(self, unit, *names):
        self.asked += names
        known = {"Slice": self.units[unit][1], "MainPID": 7, "ActiveEnterTimestamp": 9, "MemoryCurrent": 4096}
        return {name: known[name] for name in names if name in known}


@pytest.fixture
def context(tmp_path):
    for name, text in {"web": BASE, "idle": BASE + "Slice=shop-eu\n", "db": BASE + "Pod=pair\n"}.items():
        (tmp_path / f"{name}.nsunit").write_text(text)
    (tmp_path / "pair.pod.nsunit").write_text("[Pod]\n")
    (tmp_path / "empty.slice.nsunit").write_text("")
    return types.SimpleNamespace(
        search=SearchPath((str(tmp_path),)),
        host=Host(257),
        bus=FakeSystemd(),
        paths=Paths(f"{tmp_path}/run", f"{tmp_path}/var"),
    )


def test_names_of_what_is_there(context):
    bus = context.bus
    for name, state in {"web": "active", "a-b@c": "failed", "gone": "inactive", "lazy-one": "inactive"}.items():
        bus.run(name, state)
    bus.units["nsunit-lazy\\x2done-port-80.socket"] = "active", ""
    bus.units["nsunit-other.service"] = "active", "system.slice"  # somebody else's
    bus.units["nsunit-run\\x2d1-run-0a.scope"] = "active", "nsunit-run\\x2d1.slice"
    bus.units["nsunit-run\\x2d1.slice"] = "active", ""
    bus.units["nsunit-web-exec-1.scope"] = "active", "nsunit-web.slice"
    bus.units["nsunit-pair.pod.service"] = "active", "nsunit-pair.slice"
    bus.run("db", group="pair")
    assert container_names(context) == ["a-b@c", "db", "lazy-one", "pair.pod", "run-1", "web"]
    assert container_names(context, everything=True) == sorted([*container_names(context), "gone", "idle"])
    assert set(bus.asked) == {"list"}
    assert len(bus.asked) == 3


def test_who_is_there_to_be_looked_at(context):
    bus = context.bus
    for name, state in {"web": "active", "bad": "failed", "gone": "inactive", "lazy": "inactive"}.items():
        bus.run(name, state)
    bus.units["nsunit-lazy-port-80.socket"] = "active", ""
    bus.units["nsunit-gone-port-80.service"] = "failed", ""  # its proxy alone, which is tried again
    bus.units["nsunit-other.service"] = "active", "system.slice"  # somebody else's
    bus.units["nsunit-run\\x2d1-run-0a.scope"] = "active", "nsunit-run\\x2d1.slice"
    assert present(context) == ["bad", "lazy", "run-1", "web"]
    assert bus.asked.count("list") == 1
    assert len(bus.asked) <= 7


def test_names_with_groups(context):
    bus = context.bus
    assert grouped_names(context) == {}
    bus.run("web", group="shop-us")
    bus.units["nsunit-shop-web.slice"] = "inactive", ""  # where it was before
    assert grouped_names(context) == {"web": ("shop.slice", "shop-us.slice")}
    assert grouped_names(context, everything=True) == {
        "web": ("shop.slice", "shop-us.slice"),
        "idle": ("shop.slice", "shop-eu.slice"),
        "db": ("pair.pod",),
        "pair.pod": (),
        "empty.slice": (),
    }
    assert set(bus.asked) == {"list"}


def test_questions_for_each_container_are_few(context, monkeypatch):
    bus, listed = context.bus, []
    monkeypatch.setattr(search, "_entries", lambda directory: listed.append(directory) or [])
    for number in range(50):
        bus.run(f"c{number}")
    bus.units["nsunit-other.service"] = "active", "system.slice"
    bus.units["nsunit-pair.pod.service"] = "active", "nsunit-pair.slice"
    bus.units["nsunit-pair.slice"] = "active", ""
    (first, *others) = list_containers(context)
    assert (first.name, first.pid, first.since_usec, first.memory, first.tasks) == ("c0", 7, 9, 4096, None)
    assert len(others) == 49
    assert len(bus.asked) <= 8 * 51
    assert [state.name for state in pod_states(context)] == ["pair.pod"]
    assert listed == []
    assert bus.asked.count("list") == 2
