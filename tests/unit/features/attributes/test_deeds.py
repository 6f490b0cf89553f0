"""Attributes that change while a container runs, on a tree of ordinary files that stands for the kernel's."""

from __future__ import annotations

import types

import pytest

from nsunit.core.context import take_back
from nsunit.definition.load import Host, load_text
from nsunit.definition.search import SearchPath
from nsunit.errors import NsunitError
from nsunit.features.attributes import deeds
from nsunit.setup import attributes
from nsunit.storage.paths import Paths

BASE = "[Container]\nRootfs=/srv\nExec=/bin/sh\n"
QUOTA = "[Service]\nCPUQuota=50%\n"


def definition(text):
    return load_text("web", BASE + text, "f", Host(257))


@pytest.fixture
def group(tmp_path, monkeypatch):
    """The container's control group."""
    directory = tmp_path / "cgroup/web.service"
    directory.mkdir(parents=True)
    for name in ("cpu.max.burst", "memory.swap.high", "misc.max"):
        (directory / name).touch()
    monkeypatch.setattr(attributes.write, "__defaults__", (str(tmp_path / "cgroup"),))
    return directory


@pytest.fixture
def context(tmp_path, group):
    unit = {"ControlGroup": "/web.service", "ActiveState": "active", "MainPID": 7, "InvocationID": b""}
    paths = Paths(str(tmp_path / "run"), str(tmp_path / "var"))
    (tmp_path / "run/containers/web").mkdir(parents=True)
    (tmp_path / "run/containers/web/plan").write_text("subgroup\0payload\nexec\0\0/bin/sh\n")
    bus = types.SimpleNamespace(
        get=lambda name, *wanted: {key: unit[key] for key in wanted if key in unit}, list_units=lambda patterns: []
    )
    (tmp_path / "web.nsunit").touch()
    return types.SimpleNamespace(bus=bus, paths=paths, unit=unit, search=SearchPath((str(tmp_path),)))


def plan(context):
    with open(context.paths.runtime_of("web") + "/plan") as file:
        return file.read()


def test_changes_are_made_and_taken_back(context, group, monkeypatch):
    written = []
    monkeypatch.setattr(attributes, "write", lambda _group, line: written.append(line))
    old = definition("CPUBurstSec=20ms\nMiscMax=sev 4\n" + QUOTA)
    new = definition("CPUBurstSec=10ms\nMemorySwapHigh=1M\n" + QUOTA)
    undo = []
    deeds.before_change(context, "web.service", old, new, undo)
    assert written == ["cpu.max.burst=0"]
    deeds.change(context, "web.service", old, new, undo)
    assert written[1:] == ["cpu.max.burst=10000", "misc.max=sev max", "memory.swap.high=1048576"]
    assert plan(context).startswith("subgroup\0payload\0cpu.max.burst=10000\0memory.swap.high=1048576\nexec")
    written.clear()
    take_back(undo)
    assert written == ["memory.swap.high=max", "misc.max=sev 4", "cpu.max.burst=0", "cpu.max.burst=20000"]
    assert plan(context) == "subgroup\0payload\nexec\0\0/bin/sh\n"


def test_the_plan_of_a_system_has_them_too():
    plan = b"boot-subgroup\x00524288\x00payload\x00misc.max=sev 4\nexec\0\0/sbin/init\n"
    changed = deeds.with_subgroup(plan, definition("MemorySwapHigh=1M\n"))
    assert changed == b"boot-subgroup\x00524288\x00payload\x00memory.swap.high=1048576\nexec\0\0/sbin/init\n"
    assert deeds.with_subgroup(changed, definition("")) == b"boot-subgroup\x00524288\x00payload\nexec\0\0/sbin/init\n"


def test_an_attribute_that_cannot_be_is_an_error(context, group):
    (group / "memory.swap.high").unlink()
    with pytest.raises(NsunitError, match=r"^memory.swap.high: No such file or directory$") as caught:
        deeds.change(context, "web.service", definition(""), definition("MemorySwapHigh=1M\n"), undo := [])
    assert (caught.value.hint, undo) == ("nothing was changed", [])  # what was refused need not be taken back
    context.unit["ControlGroup"] = ""
    with pytest.raises(NsunitError, match="'web.service' has no control group, it has just ended"):
        deeds.change(context, "web.service", definition(""), definition("MemorySwapHigh=1M\n"), [])
