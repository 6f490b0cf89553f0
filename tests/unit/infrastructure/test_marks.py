"""Marks that would keep a test from running, unseen."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from marks import fault

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
        item(after_reboot=()),
        item("vm/test_any.py", engines=("two systems",)),
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
        (item("vm/test_any.py", once=()), "once() needs its reason, as one text"),
        (item("vm/test_any.py", engines=()), "engines() needs its reason, as one text"),
        (item("vm/test_any.py", engines=("two systems",), once=("a reason",)), "a place of its own"),
        (item("vm/test_any.py", engines=("two systems",), machine=("a reason",)), "a place of its own"),
        (item(engines=("two systems",)), "a place of its own"),
        (item(before_reboot=()), "needs machine"),
        (item("vm/test_any.py", before_reboot=(), machine=("a reboot",)), "test_reboot.py"),
        (item("vm/test_any.py", after_reboot=()), "test_reboot.py"),
    ],
)
def test_what_would_run_nowhere_or_in_the_wrong_place(bad, said):
    assert said in fault(bad)
