"""Starting members of groups, and what is known of groups, on a systemd that is a table of properties."""

from __future__ import annotations

import os

import pytest

from nsunit.bus.protocol import GROUP_LOST, INVALID_ARGS, TRANSACTION_IS_DESTRUCTIVE, UNIT_EXISTS, Job, UnitStatus
from nsunit.core.apart import check_apart
from nsunit.core.context import Context
from nsunit.core.running import slice_of, unit_of
from nsunit.core.unit_files import unit_files
from nsunit.deeds.change import apply, plan, set_keys
from nsunit.deeds.look.query import inspect
from nsunit.deeds.look.states import ContainerState
from nsunit.deeds.look.tree import tree
from nsunit.deeds.look.why import explain, moot_limits
from nsunit.deeds.persist import drop_in, remove_drop_ins
from nsunit.deeds.render import render
from nsunit.definition.load import Host, load
from nsunit.definition.search import SearchPath
from nsunit.errors import BusError, NotFoundError, NsunitError
from nsunit.features.groups import deeds as group_module
from nsunit.features.groups.deeds import (
    groups_of_slice,
    members,
    start_member,
    stored_group,
)
from nsunit.features.groups.files import enabled_members
from nsunit.storage.paths import Paths

CONTAINER = "[Container]\nRootfs=/srv\nVolatile=yes\nExec=/bin/sh\nSlice={}\n"
MIB = 1 << 20


class FakeSystemd:
    """Units as tables of properties; `errors` are raised by the next starts, and `vanish` go before the next one."""

    def __init__(self):
        self.units = {}
        self.transient = ""
        self.errors = []
        self.vanish = []
        self.started = []
        self.stopped = []
        self.reloads = 0

    def get(self, unit, *names):
        return {name: value for name, value in self.units.get(unit, {}).items() if name in names}

    def properties(self, unit):
        return dict(self.units.get(unit, {}))

    def list_units(self, patterns):
        import fnmatch

        return [
            UnitStatus(name, "", "loaded", str(values.get("ActiveState", "")), "", "")
            for name, values in self.units.items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]

    def start(self, auxiliary):
        while self.vanish:
            self.units.pop(self.vanish.pop())
        if self.errors:
            raise self.errors.pop(0)
        for unit in auxiliary:
            self.units[unit.name] = {item.name: item.value for item in unit.properties}
            self.units[unit.name] |= {"ActiveState": "active", "FragmentPath": self.transient + unit.name}
        self.started.append([unit.name for unit in auxiliary])
        return Job("/job", "nsunit-web.service", "start")

    def stop(self, unit):
        self.stopped.append(unit)
        return Job("/stop", unit, "stop")

    def wait(self, job, timeout):
        return "done"

    def set_properties(self, unit, runtime, properties):
        self.units[unit].update({item.name: item.value for item in properties})

    def reload(self):
        self.reloads += 1


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setattr(group_module, "_PAUSE", 0)
    for directory in ("etc", "units", "run", "var"):
        os.mkdir(tmp_path / directory, 0o700)
    search = SearchPath((str(tmp_path / "etc"),), str(tmp_path / "units"))
    found = Context(search, Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    found._bus = FakeSystemd()
    found._bus.transient = found.transient
    found._host = Host(257, "host", "abc", "def", "6.12", "x86-64")
    write(found, "shop.slice", "[Slice]\nMemoryMax=64M\n")
    write(found, "web", CONTAINER.format("shop-eu"))
    return found


def write(context, name, text):
    with open(f"{context.search.directories[0]}/{name}.nsunit", "w") as file:
        file.write(text)


def definition(context, name="web"):
    return load(name, context.search, context.host)


def begin(context, name="web"):
    group = definition(context, name).container.slice
    job = start_member(context, definition(context, name), context.bus.start)
    slice_ = f"nsunit-{group}-{name}.slice"
    context.bus.units[slice_] = {"ActiveState": "active"}
    context.bus.units[f"nsunit-{name}.service"] = {"ActiveState": "active", "Slice": slice_, "LoadState": "loaded"}
    return job


def test_missing_slices_are_made_with_the_member(context):
    begin(context)
    assert context.bus.started == [["nsunit-shop.slice", "nsunit-shop-eu.slice"]]
    assert context.bus.units["nsunit-shop.slice"]["MemoryMax"] == 64 * MIB
    assert stored_group(context, "shop.slice").texts_of("Slice") == (("MemoryMax", "64M"),)
    assert stored_group(context, "shop-eu.slice").assignments == ()
    write(context, "db", CONTAINER.format("shop"))
    begin(context, "db")
    assert context.bus.started[-1] == []
    assert members(context, "shop.slice", running=True) == ["db", "web"]
    assert members(context, "shop-eu.slice", running=True) == ["web"]


@pytest.mark.parametrize("error", [UNIT_EXISTS, TRANSACTION_IS_DESTRUCTIVE])
def test_a_slice_that_is_going_is_waited_for(context, error):
    begin(context)
    context.bus.errors = [BusError(error, "busy")] * 3
    context.bus.vanish = ["nsunit-shop-eu.slice"]
    start_member(context, definition(context), context.bus.start)
    assert context.bus.started[-1] == ["nsunit-shop-eu.slice"]
    context.bus.errors = [BusError(error, "busy")] * 100
    with pytest.raises(BusError, match="busy"):
        start_member(context, definition(context), context.bus.start)


def test_another_error_is_no_reason_to_wait(context):
    context.bus.errors = [BusError(INVALID_ARGS, "no"), BusError(UNIT_EXISTS, "busy")]
    with pytest.raises(BusError, match="no"):
        start_member(context, definition(context), context.bus.start)
    assert len(context.bus.errors) == 1


def test_a_group_that_goes_between_the_look_and_the_start(context):
    begin(context)
    context.bus.vanish = ["nsunit-shop.slice"]
    with pytest.raises(BusError, match=r"web: its group 'shop\.slice' has just gone away") as caught:
        start_member(context, definition(context), context.bus.start)
    assert caught.value.name == GROUP_LOST
    assert context.bus.stopped == ["nsunit-shop.slice"]
    start_member(context, definition(context), context.bus.start)
    assert context.bus.started[-1] == ["nsunit-shop.slice"]
    assert context.bus.units["nsunit-shop.slice"]["MemoryMax"] == 64 * MIB


def test_a_unit_file_of_somebody_else(context):
    path = "/etc/systemd/system/nsunit-shop.slice"
    context.bus.units["nsunit-shop.slice"] = {"FragmentPath": path}
    with pytest.raises(NsunitError, match=r"shop\.slice: 'nsunit-shop\.slice' is there already and was not"):
        start_member(context, definition(context), context.bus.start)
    os.unlink(context.search.directories[0] + "/shop.slice.nsunit")
    start_member(context, definition(context), context.bus.start)
    assert context.bus.started == [["nsunit-shop-eu.slice"]]


def test_names_that_mean_two_things(context):
    write(context, "shop", CONTAINER.format("x"))
    check_apart(context, definition(context))
    write(context, "shop", CONTAINER.replace("Slice={}\n", ""))
    expected = r"web: the slice of its group 'shop\.slice' is that of container 'shop'"
    with pytest.raises(NsunitError, match=expected):
        check_apart(context, definition(context))
    expected = r"shop: its slice would be that of the group 'shop\.slice'"
    with pytest.raises(NsunitError, match=expected):
        check_apart(context, definition(context, "shop"))
    os.unlink(context.search.directories[0] + "/shop.slice.nsunit")
    check_apart(context, definition(context, "shop"))
    context.bus.units["nsunit-shop-db.slice"] = {}
    with pytest.raises(NsunitError, match=expected):
        check_apart(context, definition(context, "shop"))
    os.unlink(context.search.directories[0] + "/shop.nsunit")
    context.bus.units["nsunit-shop.service"] = {"LoadState": "loaded", "Slice": "nsunit-shop.slice"}
    with pytest.raises(NsunitError, match=r"is that of container 'shop'"):
        check_apart(context, definition(context))


def test_where_a_container_is(context):
    assert slice_of(context, "web") == "nsunit-shop-eu-web.slice"  # as it is defined
    context.bus.units["nsunit-web-exec-1.scope"] = {"Slice": "nsunit-old-web.slice"}
    assert slice_of(context, "web") == "nsunit-old-web.slice"
    context.bus.units["nsunit-web.service"] = {"Slice": "nsunit-new-web.slice"}
    assert slice_of(context, "web") == "nsunit-new-web.slice"
    assert slice_of(context, "gone") == "nsunit-gone.slice"
    assert slice_of(context, "shop.slice") == unit_of(context, "shop.slice") == "nsunit-shop.slice"
    assert groups_of_slice("nsunit-shop-eu-web.slice") == ("shop.slice", "shop-eu.slice")
    assert groups_of_slice("nsunit-web.slice") == ()


def test_members_that_are_defined(context):
    write(context, "db", CONTAINER.format("shop"))
    write(context, "broken", "[Container]\nSlice=shop\n")
    assert members(context, "shop.slice", running=False) == ["db", "web"]
    assert members(context, "shop.slice", running=True) == []
    with pytest.raises(NotFoundError, match=r"group 'other\.slice' is not defined"):
        members(context, "other.slice", running=True)


def test_set_plan_and_apply(context):
    name = "shop.slice"
    assert plan(context, name).state == "inactive"
    with pytest.raises(NotFoundError, match=r"shop\.slice: no container of the group is running"):
        set_keys(context, name, [("", "MemoryMax", "80M")])
    begin(context)
    unit = context.bus.units["nsunit-shop.slice"]
    set_keys(context, name, [("", "MemoryMax", "80M"), ("", "TasksMax", "50")])
    assert (unit["MemoryMax"], unit["TasksMax"]) == (80 * MIB, 50)
    assert [str(change) for change in plan(context, name).changes] == [
        "[Slice] MemoryMax: '80M' -> '64M'",
        "[Slice] TasksMax: '50' -> ''",
    ]
    (outcome,) = apply(context, [name])
    assert outcome.state == "changed"
    assert unit["MemoryMax"] == 64 * MIB
    assert plan(context, name).changes == ()
    unit["MemoryMax"] = 1 << 30  # behind our back
    assert [str(change) for change in plan(context, name).changes] == ["[Slice] MemoryMax: '1G' -> '64M'"]
    write(context, name, "[Unit]\nAfter=x.service\n[Slice]\nMemoryMax=64M\n")
    (outcome,) = apply(context, [name])
    assert outcome.state == "differs"


def test_drop_ins(context):
    begin(context)
    (path,) = drop_in(context, "shop.slice", [("", "MemoryMax", "70M")])
    assert path == f"{context.search.units}/nsunit-shop.slice.d/50-nsunit.conf"
    with open(path) as file:
        assert file.readline() == "# Limits of group shop.slice that were set for good.\n"
    assert context.bus.units["nsunit-shop.slice"]["MemoryMax"] == 70 * MIB
    assert remove_drop_ins(context, "shop.slice") == (path,)
    assert context.bus.units["nsunit-shop.slice"]["MemoryMax"] == 64 * MIB


def test_render(context):
    files = unit_files(context, "web")
    assert list(files) == [
        "nsunit-shop.slice",
        "nsunit-shop-eu.slice",
        "nsunit-shop-eu-web.slice",
        "nsunit-web.service",
    ]
    assert "Slice=nsunit-shop-eu-web.slice\n" in files["nsunit-web.service"]
    assert "# Made by nsunit from the containers in it;" in files["nsunit-shop-eu.slice"]
    assert unit_files(context, "shop.slice") == {"nsunit-shop.slice": files["nsunit-shop.slice"]}
    assert "MemoryMax=64M\n" in files["nsunit-shop.slice"]
    assert [unit["name"] for unit in render(context, "shop.slice")["units"]] == ["nsunit-shop.slice"]


def test_why(context):
    context.bus.units = {}
    write(context, "web", CONTAINER.format("shop-eu") + "[Slice]\nMemoryMax=100M\n")
    (found,) = explain(context, "web", "MemoryMax")
    assert (found.effective, found.tightest) == (64 * MIB, "nsunit-shop.slice")
    (found,) = explain(context, "shop.slice", "MemoryMax")
    assert (found.asked, found.tightest) == (64 * MIB, "nsunit-shop.slice")
    notes = moot_limits(context, definition(context))
    assert notes == ["MemoryMax= has no effect: nsunit-shop.slice has a tighter limit"]


def test_tree_and_show(context):
    begin(context)
    usage = {"memory": 5, "tasks": 2, "cpu_usec": 3}
    state = ContainerState("web", "active", "running", "nsunit-web.service", "nsunit-shop-eu-web.slice", **usage)
    plain = ContainerState("a", "inactive", "dead", "nsunit-a.service", "nsunit-a.slice")
    write(context, "idle-x.slice", "")
    root = tree(context, [state, plain], everything=True)
    assert [item.name for item in root.children] == ["idle.slice", "shop.slice", "a"]
    assert [item.name for item in root.children[0].children] == ["idle-x.slice"]
    shop = root.children[1]
    assert (shop.kind, shop.active_state, shop.memory_limit) == ("group", "active", 64 * MIB)
    (web,) = shop.children[0].children
    assert (web.name, web.memory, web.tasks, web.cpu_usec, web.memory_limit) == ("web", 5, 2, 3, None)
    assert [item.name for item in tree(context, [state]).children] == ["shop.slice"]
    shown = inspect(context, "shop.slice")
    assert (shown["active_state"], shown["members"], shown["running"]) == ("active", ["web"], ["web"])
    with pytest.raises(NotFoundError):
        inspect(context, "other.slice")


def test_a_container_that_goes_while_members_are_looked_for(context, monkeypatch):
    monkeypatch.setattr(group_module, "list_names", lambda _search: ["gone", "web"])
    assert members(context, "shop.slice", running=False) == ["web"]


@pytest.mark.parametrize(
    "broken", [b"[Container]\nNoSuchKey=1\nSlice=shop-eu\n", b"[Container]\nSlice=shop\nExec=\xff\n"]
)
def test_an_enabled_member_that_nobody_can_read_is_told_and_keeps_no_other_from_it(context, broken):
    """As after an upgrade that knows a key no more: `disable shop.slice` and the boot of its pod failed for all."""
    said = []
    context.warn = said.append
    texts = {
        "web": broken,
        "db": b"[Container]\nRootfs=/srv\nExec=/bin/sh\nVolatile=yes\nSlice=shop\n",
        "far": b"[Container]\nNoSuchKey=1\nSlice=other\n",
    }
    for name, text in texts.items():
        os.makedirs(context.paths.boot_of(name))
        with open(f"{context.paths.boot_of(name)}/definition", "wb") as file:
            file.write(b"# of nsunit\n" + text)
    assert enabled_members(context, "shop.slice") == ["db", "web"]
    (line,) = said
    assert line.startswith("warning: web: what it was enabled as cannot be read (")
    assert line.endswith("); 'nsunit enable web' writes it anew")
