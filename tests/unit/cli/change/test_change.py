import json

import pytest

from nsunit.errors import NotFoundError
from nsunit.plan.change import Change
from nsunit.record import Record


class Plan(Record):
    name: str
    state: str
    changes: tuple = ()
    notes: tuple = ()


CHANGE = Change("Slice", "MemoryMax", "1G", "2G", "live")


@pytest.fixture
def seen(manager):
    calls = []
    manager(
        "deeds.change", set_keys=lambda context, name, words, persist: calls.append((name, words, persist)) or (CHANGE,)
    )
    manager(
        "deeds.persist",
        drop_in=lambda context, name, words: calls.append((name, words)) or ("/a", "/b"),
        remove_drop_ins=lambda context, name: calls.append(name) or ("/a",),
    )
    return calls


def test_set(nsunit, seen):
    assert nsunit("set", "web", "MemoryMax=2G", "Service.IOReadIOPSMax=/dev/sda 5") == (0, "", "")
    assert nsunit("set", "--persist", "web", "MemoryMax=")[0] == 0
    assert seen == [
        ("web", [("", "MemoryMax", "2G"), ("Service", "IOReadIOPSMax", "/dev/sda 5")], False),
        ("web", [("", "MemoryMax", "")], True),
    ]
    document = json.loads(nsunit("set", "--json", "--runtime", "web", "MemoryMax=2G")[1])
    assert document == [{"section": "Slice", "key": "MemoryMax", "old": "1G", "new": "2G", "how": "live"}]


@pytest.mark.parametrize("text", ["MemoryMax", "=1", "Slice.=1", ".MemoryMax=1"])
def test_set_refuses(nsunit, seen, text):
    status, _out, err = nsunit("set", "web", text)
    assert status == 2
    assert f"'{text}' is not a key with its value" in err
    assert seen == []


def test_set_for_this_run_and_for_good(nsunit, seen):
    status, _out, err = nsunit("set", "--persist", "--runtime", "web", "MemoryMax=1")
    assert (status, err.splitlines()[0]) == (2, "nsunit: set: --runtime and --persist exclude each other")


def test_dropin(nsunit, seen):
    assert nsunit("dropin", "web", "MemoryMax=2G") == (0, "/a\n/b\n", "")
    assert nsunit("dropin", "-q", "--remove", "web") == (0, "", "")
    assert seen == [("web", [("", "MemoryMax", "2G")]), "web"]
    assert json.loads(nsunit("dropin", "--json", "web")[1]) == ["/a", "/b"]
    status, _out, err = nsunit("dropin", "--remove", "web", "MemoryMax=2G")
    assert (status, "so keys cannot be named" in err) == (2, True)


def test_plan(nsunit, manager):
    plans = [
        (Plan("a", "running"), None),
        (Plan("b", "inactive"), None),
        (Plan("c", "running", (CHANGE, CHANGE.replace(how="restart")), ("more\x1b",)), None),
        (None, NotFoundError("container 'd' is not defined")),
    ]
    manager("deeds.change", plan_all=lambda context, names: plans)
    status, out, err = nsunit("plan", "a", "b", "c", "d")
    assert (status, err) == (3, "nsunit: container 'd' is not defined\n")
    assert out.splitlines() == [
        "a: runs as its definition says",
        "b: is not running",
        "c:",
        "  [Slice] MemoryMax: '1G' -> '2G' (at once)",
        "  [Slice] MemoryMax: '1G' -> '2G' (by a restart)",
        "  note: more\\x1b",
    ]
    assert len(json.loads(nsunit("plan", "--json", "a")[1])) == 3


def test_apply(nsunit, manager):
    difference = "[Slice] MemoryMax: '1G' -> '2G'"
    outcomes = [
        manager.Outcome("a", "running"),
        manager.Outcome("b", "changed", (difference,)),
        manager.Outcome("c", "differs", (difference,)),
        manager.Outcome("d", "failed", error=NotFoundError("no d")),
        manager.Outcome("e", "restarted", (difference,)),
        manager.Outcome("f", "inactive"),
    ]
    seen = []
    manager("deeds.change", apply=lambda context, names, restart: seen.append((names, restart)) or outcomes)
    states = [manager.ContainerState("a"), manager.ContainerState("z", "failed")]
    manager("deeds.look.states", list_containers=lambda context: states)
    status, out, err = nsunit("apply", "--restart")
    assert (status, seen) == (3, [(["a"], True)])
    assert out.splitlines() == [
        "a: runs as its definition says",
        f"b: {difference}",
        "e: restarted",
        "f: is not running",
    ]
    assert err.splitlines() == [
        "nsunit: c: these take a restart",
        f"  {difference}",
        "  hint: 'nsunit apply --restart c'",
        "nsunit: no d",
    ]


def test_reclaim(nsunit, manager):
    calls = []
    answers = [(200 << 20, 100 << 20, True)] * 2 + [(200 << 20, 190 << 20, False)]
    manager(
        "deeds.control",
        reclaim=lambda context, name, amount: calls.append((name, amount)) or answers.pop(0),
    )
    assert nsunit("reclaim", "web", "100M") == (0, "web: 200M before, 100M after\n", "")
    document = json.loads(nsunit("reclaim", "--json", "web", "5K")[1])
    assert document == {"name": "web", "before": 200 << 20, "after": 100 << 20, "found": True}
    status, out, err = nsunit("reclaim", "web", "100M")
    assert (status, out) == (1, "web: 200M before, 190M after\n")
    assert err.splitlines() == [
        "nsunit: web: the kernel could not take 100M",
        "  hint: the rest is in use, and there is no swap to put it into",
    ]
    assert calls == [("web", 100 << 20), ("web", 5 << 10), ("web", 100 << 20)]
    status, _, err = nsunit("reclaim", "web", "much")
    assert (status, err.splitlines()[0]) == (2, "nsunit: reclaim: 'much' is not a size")
