"""What the verbs make of the name of a group."""

import json
import os

import pytest

from nsunit.cli.look.tree import tree_rows
from nsunit.deeds.look.tree import Node
from nsunit.definition.search import SearchPath


def node(name, kind, *children, **values):
    fields = dict.fromkeys(("memory", "tasks", "cpu_usec", "memory_limit", "tasks_limit", "cpu_quota"))
    return Node(name=name, kind=kind, active_state="active", slice="x", **{**fields, **values}, children=children)


WEB = node("web", "container", memory=2048, tasks=3, cpu_usec=62_000_000)
SHOP = node(
    "shop.slice", "group", WEB, node("db", "container"), memory_limit=1 << 30, tasks_limit=40, cpu_quota=500_000
)
TREE = node("nsunit.slice", "total", SHOP, node("a", "container"))


@pytest.fixture
def members(manager):
    """A group with two members that run and a third; returns what it was asked for."""
    asked = []

    def find(context, name, *, running):
        asked.append((name, running))
        return ["db", "web"] if running else ["db", "idle", "web"]

    manager("features.groups.deeds", members=find)
    return asked


def test_tree(nsunit, manager):
    manager("deeds.look.states", list_containers=lambda context, **_options: [])
    manager("deeds.look.tree", tree=lambda context, states, *, everything: TREE)
    assert list(tree_rows(TREE)) == [
        ("nsunit.slice", "active", "-", "-", "-", "-", "-", "-"),
        ("├─shop.slice", "active", "-", "50%", "-", "1G", "-", "40"),
        ("│ ├─web", "active", "1min 2s", "-", "2K", "-", "3", "-"),
        ("│ └─db", "active", "-", "-", "-", "-", "-", "-"),
        ("└─a", "active", "-", "-", "-", "-", "-", "-"),
    ]
    manager("deeds.look.listing", grouped_names=lambda context, *, everything: {"web": ("shop.slice",), "a": ()})
    assert nsunit("list", "--tree", "--names")[1] == "a\nshop.slice\nweb\n"
    assert nsunit("list", "--tree", "--names", "w*")[1] == "shop.slice\nweb\n"
    shown = json.loads(nsunit("list", "--tree", "--json")[1])
    assert [item["name"] for item in shown["children"][0]["children"]] == ["web", "db"]
    assert nsunit("list", "-t")[1].splitlines()[2].startswith("├─shop.slice")


@pytest.mark.parametrize(
    ("verb", "module", "running"),
    [("start", "deeds.start", False), ("stop", "deeds.stop", True), ("restart", "deeds.restart", True)],
)
def test_a_group_stands_for_its_containers(nsunit, manager, members, verb, module, running):
    seen = []

    def deed(context, names, **_options):
        seen.append(names)
        return [manager.Outcome(name, "started") for name in names]

    manager(module, **{verb: deed})
    assert nsunit(verb, "web", "shop.slice")[0] == 0
    assert members == [("shop.slice", running)]
    assert seen == [["web", "db"]] if running else [["web", "db", "idle"]]


@pytest.mark.parametrize(
    ("verb", "module", "named"),
    [
        ("start", "deeds.start", ["shop.pod", "db", "idle", "web"]),
        ("stop", "deeds.stop", ["shop.pod", "db", "web"]),
        ("restart", "deeds.restart", ["shop.pod", "db", "web"]),
    ],
)
def test_a_pod_stands_for_itself_and_its_containers(nsunit, manager, members, verb, module, named):
    seen = []

    def deed(context, names, **_options):
        seen.append(names)
        return [manager.Outcome(name, "differs" if name == "shop.pod" else "started") for name in names]

    manager(module, **{verb: deed})
    status, _out, err = nsunit(verb, "shop.pod")
    assert (status, seen) == (0, [named])
    assert members == [("shop.slice", verb != "start")]
    assert "hint: 'nsunit restart shop.pod' makes it so, with its containers" in err
    killed = []
    manager("deeds.control", kill=lambda context, name, **_options: killed.append(name))
    assert (nsunit("kill", "shop.pod")[0], killed) == (0, ["db", "web"])


def test_pause_and_kill_are_for_those_that_run(nsunit, manager, members):
    seen = []
    manager("deeds.control", pause=lambda context, name: seen.append(name))
    assert nsunit("pause", "shop-eu.slice") == (0, "", "")
    assert (members, seen) == ([("shop-eu.slice", True)], ["db", "web"])


def test_what_is_no_name_of_a_group(nsunit, members):
    status, _out, err = nsunit("stop", "Shop.slice")
    assert (status, members) == (2, [])
    assert err.splitlines()[0] == "nsunit: 'Shop.slice' is not the name of a group"


def test_set_is_for_the_group_itself(nsunit, manager):
    seen = []
    manager("deeds.change", set_keys=lambda context, name, assignments, persist: seen.append(name) or ())
    assert nsunit("set", "shop.slice", "MemoryMax=1G")[0] == 0
    assert nsunit("set", "shop.pod", "MemoryMax=1G")[0] == 0
    assert seen == ["shop.slice", "shop.slice"]


def test_top(nsunit, monkeypatch):
    called = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: called.append(argv))
    nsunit("top", "-b", "shop-eu.slice")
    path = "/nsunit.slice/nsunit-shop.slice/nsunit-shop-eu.slice"
    assert called == [["systemd-cgtop", "-b", path]]


def test_cat_and_edit(nsunit, manager, tmp_path, monkeypatch):
    manager.context.search = SearchPath((str(tmp_path),))
    path = tmp_path / "shop.slice.nsunit"
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/^#MemoryMax/MemoryMax/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    asked = []
    manager("deeds.verify", verify=lambda context, names: asked.append(names) or [])
    status, _out, err = nsunit("edit", "shop.slice")
    assert (status, err.splitlines()[0]) == (3, "nsunit: group 'shop.slice' is not defined")
    assert nsunit("edit", "--force", "shop.slice")[0] == 0
    assert asked == [["shop.slice"]]
    assert "with [Container] Slice=shop\n" in path.read_text()
    assert "\nMemoryMax=2G\n" in path.read_text()
    assert nsunit("cat", "shop.slice")[1].startswith(f"# {path}\n# {path}: a group of containers")
