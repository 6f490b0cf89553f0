"""Definitions of groups, and the names that go with them."""

from __future__ import annotations

import os

import pytest
from definitions import problems_of

from nsunit.definition.load import Host, any_of_text, load, load_any
from nsunit.definition.search import find_group, list_groups
from nsunit.errors import NotFoundError
from nsunit.features.groups.definition import group_or_empty, load_group
from nsunit.features.groups.plan import group_unit, group_units

HOST = Host(257, "host", "abc", "def", "6.12", "x86-64")
CONTAINER = "[Container]\nRootfs=/srv\nExec=/bin/sh\n"


def problems(call):
    return [(str(item), item.hint) for item in problems_of(call)]


def test_a_group_and_a_member(define, search):
    define("shop.slice", "[Unit]\nDocumentation=https://x/%p\n[Slice]\nMemoryMax=1G\n")
    found = load_group("shop.slice", search, HOST)
    assert found.texts_of("Unit") == (("Documentation", "https://x/shop"),)
    unit = group_unit(found, 257)
    values = {item.name: item.value for item in unit.properties}
    assert unit.name == "nsunit-shop.slice"
    assert (values["MemoryMax"], values["Description"]) == (1 << 30, "Group shop.slice")
    assert values["StopWhenUnneeded"] is True
    assert group_units(found, 257).slice == group_units(found, 257).service == unit
    assert load_any("shop.slice", search, HOST) == found
    define("web", CONTAINER + "Slice=shop.slice\n")
    assert load("web", search, HOST).container.slice == "shop"
    assert load_any("web", search, HOST).container.exec == ("/bin/sh",)
    assert any_of_text("web", CONTAINER, "x", HOST).container.slice == ""


def test_what_a_definition_says_goes_before_what_nsunit_adds(define, search):
    define("shop.slice", "[Unit]\nDescription=The shop\nStopWhenUnneeded=no\n[Slice]\nMemoryAccounting=no\n")
    names = [item.name for item in group_unit(load_group("shop.slice", search, HOST), 257).properties]
    assert sorted(names) == sorted(set(names))


def test_drop_ins_of_a_group_and_of_a_member(define, search, tmp_path):
    define("shop.slice", "[Slice]\nMemoryMax=1G\n")
    define("web", CONTAINER + "Slice=shop\n")
    for unit in ("nsunit-shop.slice", "nsunit-shop-web.slice", "nsunit-web.slice"):
        (tmp_path / f"units/{unit}.d").mkdir(parents=True)
        (tmp_path / f"units/{unit}.d/50-nsunit.conf").write_text(f"[Slice]\nTasksMax={len(unit)}\n")
    assert dict(load_group("shop.slice", search, HOST).texts_of("Slice")) == {"MemoryMax": "1G", "TasksMax": "17"}
    assert dict(load("web", search, HOST).texts_of("Slice")) == {"TasksMax": "21"}


def test_a_group_has_limits_and_nothing_else(define, search):
    define("shop.slice", CONTAINER + "[Service]\nTasksMax=5\n[Install]\nWantedBy=a.target\n")
    path = search.directories[0] + "/shop.slice.nsunit"
    found = problems(lambda: load_group("shop.slice", search, HOST))
    assert found == [
        (
            f"{path}:2: [Container] Rootfs: a group has only [Slice] and [Unit]",
            "each container has a definition of its own, and joins with [Container] Slice=",
        ),
        (
            f"{path}:3: [Container] Exec: a group has only [Slice] and [Unit]",
            "each container has a definition of its own, and joins with [Container] Slice=",
        ),
        (
            f"{path}:5: [Service] TasksMax: a group has only [Slice] and [Unit]",
            "limits of the group belong in [Slice], those of one container in its own definition",
        ),
        (
            f"{path}:7: [Install] WantedBy: a group has only [Slice] and [Unit]",
            "a group is there as soon as one of its containers runs",
        ),
    ]


def test_mistakes_in_slice(define, search):
    define("web", CONTAINER + "Slice=Shop\n")
    ((message, hint),) = problems(lambda: load("web", search, HOST))
    assert message.endswith("web.nsunit:4: [Container] Slice: 'Shop' is not the name of a group")
    assert hint == "use a-z, 0-9, '_' and '.', with a dash before the name of a group within a group"
    define("web", CONTAINER + "[Service]\nSlice=shop\n")
    ((message, hint),) = problems(lambda: load("web", search, HOST))
    assert message.endswith("[Service] Slice: nsunit gives each container a slice of its own")
    assert hint == "to put it in a group, use [Container] Slice="
    long = "a" + "-" * 49 + "b"
    define(long, CONTAINER + f"Slice={'c' * 50}\n")
    ((message, _hint),) = problems(lambda: load(long, search, HOST))
    assert message.endswith("[Container] Slice: the name of the slice would be too long")


def test_groups_that_are_not_defined(define, search):
    with pytest.raises(NotFoundError, match=r"group 'shop\.slice' is not defined"):
        load_group("shop.slice", search, HOST)
    assert group_or_empty("shop.slice", search, HOST).assignments == ()
    define("shop.slice", "")
    define("Bad.slice", "")
    os.symlink("/dev/null", search.directories[0] + "/masked.slice.nsunit")
    assert list_groups(search) == ("shop.slice",)
    with pytest.raises(NotFoundError, match=r"group 'masked\.slice' is masked by"):
        find_group("masked.slice", search)
