import types

import pytest

from nsunit.core.limits import device_number
from nsunit.deeds.look import why
from nsunit.definition.host import Host
from nsunit.definition.model import Container, Definition
from nsunit.errors import UsageError
from nsunit.units import Property

INFINITY = (1 << 64) - 1


def definition(*properties, section="Slice"):
    return Definition(
        "web", Container(("/bin/true",)), (), ((section, tuple(properties)),), ("/etc/nsunit/web.nsunit",)
    )


@pytest.fixture
def cgroups(tmp_path, monkeypatch):
    """The chain of a container that runs."""
    for path in ("nsunit.slice", "nsunit.slice/nsunit-web.slice", "nsunit.slice/nsunit-web.slice/nsunit-web.service"):
        directory = tmp_path / path
        directory.mkdir()
        (directory / "cgroup.subtree_control").write_text("memory pids\n")
        (directory / "memory.max").write_text("max\n")
        (directory / "pids.max").write_text("max\n")
    monkeypatch.setattr(why, "CGROUP_ROOT", str(tmp_path))
    return tmp_path / "nsunit.slice"


@pytest.fixture
def context(monkeypatch):
    group = "/nsunit.slice/nsunit-web.slice/nsunit-web.service"
    units = {
        "nsunit-web.service": {"ControlGroup": group, "MemoryMax": INFINITY},
        "nsunit-web.slice": {"MemoryMax": 1 << 30, "IOReadBandwidthMax": [("/nowhere", 5)]},
    }
    monkeypatch.setattr(why, "unit_of", lambda context, name: "nsunit-web.service")
    return types.SimpleNamespace(
        bus=types.SimpleNamespace(properties=lambda unit: units.get(unit, {}), units=units),
        search=None,
        host=None,
        cgroup="",
    )


def test_a_container_that_runs(cgroups, context):
    (cgroups / "memory.max").write_text(f"{1 << 20}\n")
    (cgroups / "nsunit-web.slice/memory.max").write_text(f"{1 << 30}\n")
    (found,) = why.explain(context, "web")
    assert (found.key, found.asked, found.effective, found.tightest) == ("MemoryMax", 1 << 30, 1 << 20, "nsunit.slice")
    assert found.kernel == f"{1 << 30}\n"
    assert found.notes == ("MemoryMax= has no effect: nsunit.slice has a tighter limit",)


def test_one_key(cgroups, context):
    (found,) = why.explain(context, "web", "TasksMax")
    assert (found.asked, found.tightest) == (None, "host")


def test_a_container_that_does_not_run(cgroups, context, monkeypatch):
    context.bus.units.clear()
    (cgroups / "pids.max").write_text("7\n")
    monkeypatch.setattr(why, "load", lambda name, search, host: definition(Property("TasksMax", "t", 20)))
    context.host = Host(257)
    (found,) = why.explain(context, "web")
    assert (found.asked, found.effective, found.tightest, found.kernel) == (20, 7, "nsunit.slice", None)


def test_an_unknown_key(context):
    with pytest.raises(UsageError) as caught:
        why.explain(context, "web", "MemoryMx")
    assert caught.value.message == "'MemoryMx' is not a limit 'why' knows"
    assert caught.value.hint == "did you mean 'MemoryMax'?"
    with pytest.raises(UsageError) as caught:
        why.explain(context, "web", "Zzzzzzzzzzzz")
    assert caught.value.hint.startswith("there are CPUQuota, CPUWeight, ")


def test_moot_limits(cgroups, context):
    (cgroups / "pids.max").write_text("7\n")
    limits = (Property("TasksMax", "t", 20), Property("MemoryMax", "t", 1 << 20))
    moot = ["TasksMax= has no effect: nsunit.slice has a tighter limit"]
    assert why.moot_limits(context, definition(*limits)) == moot
    assert why.moot_limits(context, definition(*limits, section="Service")) == moot
    assert why.moot_limits(context, definition(Property("Description", "s", "x"))) == []


def test_shares_of_the_host(cgroups, context, monkeypatch):
    monkeypatch.setattr(why.os, "sysconf", lambda name: 1 << 14)
    half = definition(Property("MemoryMaxScale", "u", 1 << 31), Property("TasksMaxScale", "u", 1 << 31))
    assert why.moot_limits(context, half) == []
    (cgroups / "memory.max").write_text(f"{100 << 20}\n")
    (cgroups / "pids.max").write_text("7\n")
    assert why.moot_limits(context, half) == [
        f"{key}= has no effect: nsunit.slice has a tighter limit" for key in ("MemoryMax", "TasksMax")
    ]


def test_what_the_host_cannot_give(cgroups, context):
    limits = definition(Property("AllowedCPUs", "ay", b"\x01" + b"\xff" * 8), Property("MemoryMax", "t", 1 << 60))
    assert why.moot_limits(context, limits) == [
        "AllowedCPUs= cannot have all that it asks for: host has less",
        "MemoryMax= has no effect: host has a tighter limit",
    ]
    assert why.moot_limits(context, limits, starting=True) == []


def test_no_slice_yet(tmp_path, monkeypatch, context):
    monkeypatch.setattr(why, "CGROUP_ROOT", str(tmp_path))
    limit = definition(Property("MemoryMax", "t", 1 << 20))
    assert why.moot_limits(context, limit) == []
    context.bus.units["nsunit.slice"] = {"MemoryMax": 1 << 12}
    assert why.moot_limits(context, limit) == ["MemoryMax= has no effect: nsunit.slice has a tighter limit"]


def test_devices():
    assert device_number("/nowhere") == ""
    assert device_number("/").count(":") == 1


def weigh(tmp_path, monkeypatch, scheduler="[none] bfq", qos=None):
    queue = tmp_path / "block/sda/queue"
    queue.mkdir(parents=True, exist_ok=True)
    (queue / "scheduler").write_text(f"{scheduler}\n")
    monkeypatch.setattr(why, "BLOCK", str(tmp_path / "block"))
    monkeypatch.setattr(why, "CGROUP_ROOT", str(tmp_path))
    if qos is not None:
        (tmp_path / "io.cost.qos").write_text(qos)


UNWEIGHED = "IOWeight= has no effect: no disk of this machine has the scheduler bfq, nor io.cost.qos on"


def test_a_share_of_disks_that_nobody_shares_out(cgroups, context, tmp_path, monkeypatch):
    limits = definition(Property("IOWeight", "t", 50), Property("IODeviceWeight", "a(st)", (("/dev/sda", 20),)))
    weigh(tmp_path, monkeypatch)
    assert why.moot_limits(context, limits) == [UNWEIGHED, UNWEIGHED.replace("IOWeight", "IODeviceWeight")]
    weigh(tmp_path, monkeypatch, qos="8:0 enable=0 ctrl=auto\n")
    assert len(why.moot_limits(context, limits)) == 2
    weigh(tmp_path, monkeypatch, qos="8:0 enable=1 ctrl=user\n")
    assert why.moot_limits(context, limits) == []
    weigh(tmp_path, monkeypatch, scheduler="none [bfq]", qos="")
    assert why.moot_limits(context, limits) == []


def test_a_share_of_disks_is_not_claimed(cgroups, context, tmp_path, monkeypatch):
    for directory in (cgroups, *cgroups.glob("*"), *cgroups.glob("*/*")):
        if directory.is_dir():
            (directory / "cgroup.subtree_control").write_text("io\n")
            (directory / "io.weight").write_text("default 100\n")
    (cgroups / "nsunit-web.slice/io.weight").write_text("default 50\n")
    context.bus.units["nsunit-web.slice"] = {"IOWeight": 50}
    weigh(tmp_path, monkeypatch, scheduler="[bfq]")
    (found,) = why.explain(context, "web", "IOWeight")
    assert (found.effective, found.notes) == (50, ())
    weigh(tmp_path, monkeypatch)
    (found,) = why.explain(context, "web", "IOWeight")
    assert (found.asked, found.effective, found.tightest, found.notes) == (50, None, None, (UNWEIGHED,))


def test_a_latency_that_the_kernel_does_not_look_at(tmp_path, monkeypatch, context):
    limits = definition(Property("IODeviceLatencyTargetUSec", "a(st)", (("/dev/sda", 20),)))
    symbols, group = tmp_path / "kallsyms", tmp_path / "cgroup/a.slice"
    group.mkdir(parents=True)
    monkeypatch.setattr(why, "CGROUP_ROOT", str(tmp_path / "cgroup"))
    monkeypatch.setattr(why, "_SYMBOLS", str(symbols))
    told = ["IODeviceLatencyTargetSec= has no effect: this kernel was built without io.latency (BLK_CGROUP_IOLATENCY)"]
    assert why.moot_limits(context, limits) == []  # nobody knows
    symbols.write_text("0000 t iolatency_set_limit\n")
    assert why.moot_limits(context, limits) == []
    symbols.write_text("0000 t tg_set_limit\n")
    assert why.moot_limits(context, limits) == told
    (group / "io.max").touch()
    symbols.unlink()
    assert why.moot_limits(context, limits) == told
    (group / "io.latency").touch()
    assert why.moot_limits(context, limits) == []


def test_a_slice_that_systemd_is_just_making(cgroups, context):
    """Its cgroup is there and has not got its limits yet."""
    context.bus.units["nsunit.slice"] = {"MemoryMax": 1 << 20}
    limits = definition(Property("MemoryMax", "t", 1 << 30))
    assert why.moot_limits(context, limits, starting=True) == [
        "MemoryMax= has no effect: nsunit.slice has a tighter limit"
    ]
    assert "nsunit.slice: memory.max is not what systemd was asked for" in "".join(why.moot_limits(context, limits))
    context.bus.units["nsunit.slice"] = {}  # another systemd's: that of the system, where this one is a user's
    (cgroups / "memory.max").write_text(f"{1 << 20}\n")
    assert why.moot_limits(context, limits, starting=True) == [
        "MemoryMax= has no effect: nsunit.slice has a tighter limit"
    ]
