"""Marks that would keep a test from running, unseen."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from marks import fault, in_user_mode, is_elsewhere

REBOOT = "vm/test_reboot.py"


def item(path: str = REBOOT, **marks: tuple[object, ...]) -> SimpleNamespace:
    found = {name: SimpleNamespace(args=args) for name, args in marks.items()}
    return SimpleNamespace(path=Path(path), get_closest_marker=found.get)


@pytest.mark.parametrize(
    "good",
    [
        item("vm/test_any.py"),
        item("vm/test_any.py", machine=("a disk",)),
        item(before_reboot=(), machine=("a reboot",)),
        item("vm/test_any.py", once=("files alone",)),
        item("vm/test_any.py", anywhere=("files alone",)),
        item("vm/test_any.py", anywhere=("files alone",), machine=("a disk",)),
        item(after_reboot=(), machine=("a reboot",)),
        item("vm/test_any.py", engines=("two systems",)),
        item("vm/test_any.py", kernel=("nftables",), once=("files alone",)),
    ],
)
def test_what_runs_somewhere(good):
    assert fault(good) == ""


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (item(machine=()), "as one text"),
        (item(machine=("",)), "as one text"),
        (item(machine=("one", "two")), "as one text"),
        (item("vm/test_any.py", kernel=()), "what user mode lacks, as one text: calls of i386, checkpoints"),
        (item("vm/test_any.py", kernel=("it fails now and then",)), "what user mode lacks"),
        (item("vm/test_any.py", once=()), "once() needs its reason, as one text"),
        (item("vm/test_any.py", anywhere=()), "anywhere() needs its reason, as one text"),
        (item("vm/test_any.py", anywhere=("a reason",), once=("a reason",)), "in one of the releases"),
        (item(anywhere=("a reason",)), "in one of the releases"),
        (item("vm/test_any.py", anywhere=("a reason",), engines=("two systems",)), "a place of its own"),
        (item("vm/test_any.py", engines=()), "engines() needs its reason, as one text"),
        (item("vm/test_any.py", engines=("two systems",), once=("a reason",)), "a place of its own"),
        (item("vm/test_any.py", engines=("two systems",), machine=("a reason",)), "a place of its own"),
        (item(engines=("two systems",)), "a place of its own"),
        (item(before_reboot=()), "needs machine"),
        (item(after_reboot=()), "needs machine"),
        (item("vm/test_any.py", before_reboot=(), machine=("a reboot",)), "test_reboot.py"),
        (item("vm/test_any.py", after_reboot=(), machine=("a reboot",)), "test_reboot.py"),
    ],
)
def test_what_would_run_nowhere_or_in_the_wrong_place(bad, said):
    assert said in fault(bad)


@pytest.mark.parametrize(
    ("marks", "enough"),
    [
        ({}, True),
        ({"machine": ("controllers",)}, True),
        ({"machine": ("cpuset",)}, False),
        ({"kernel": ("nftables",)}, False),
        ({"machine": ("controllers",), "kernel": ("nftables",)}, True),  # of its module: the reason goes before
    ],
)
def test_which_machines_user_mode_is_enough_for(marks, enough):
    assert in_user_mode(item("vm/test_any.py", **marks)) == enough


def test_each_file_of_what_runs_anywhere_has_one_release(monkeypatch):
    here = {}
    names = [path.name for path in (Path(__file__).resolve().parents[2] / "vm").glob("test_*.py")]
    for share in ("0/2", "1/2", "none", ""):
        monkeypatch.setenv("NSUNIT_TEST_SHARE", share)
        here[share] = {name for name in names if not is_elsewhere(item(f"vm/{name}", anywhere=("a reason",)))}
        assert not any(is_elsewhere(item(f"vm/{name}")) for name in names)
    assert here["0/2"] | here["1/2"] == here[""] == set(names)
    assert (here["0/2"] & here["1/2"], here["none"]) == (set(), set())
    assert min(len(here["0/2"]), len(here["1/2"])) > len(names) // 3


def test_where_all_is_shared_what_has_no_mark_has_one_release_too(monkeypatch):
    """But what runs in the first of them only has no other anyway."""
    names = [f"vm/test_{letter}.py" for letter in "abcdef"]
    monkeypatch.setenv("NSUNIT_TEST_SHARED", "all")
    here = {}
    for share in ("0/2", "1/2"):
        monkeypatch.setenv("NSUNIT_TEST_SHARE", share)
        here[share] = {name for name in names if not is_elsewhere(item(name, kernel=("nftables",)))}
        assert not any(is_elsewhere(item(name, once=("a reason",))) for name in names)
    assert (here["0/2"] | here["1/2"], here["0/2"] & here["1/2"]) == (set(names), set())
