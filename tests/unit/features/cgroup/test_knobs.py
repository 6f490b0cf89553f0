import pytest

from nsunit.definition.words import ValueProblem
from nsunit.features.cgroup.knobs import is_setting, properties, put_back, to_copy, verb_for

INFINITY = (1 << 64) - 1


def values(file, value, now=""):
    return {item.name: item.value for item in properties(file, value, now)}


@pytest.mark.parametrize(
    ("file", "value", "found"),
    [
        ("cpu.weight", "50", {"CPUWeight": 50}),
        ("cpu.idle", "1", {"CPUWeight": 0}),
        ("cpu.idle", "0", {"CPUWeight": INFINITY}),
        ("cpu.max", "max", {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 50_000}),
        ("cpu.max", "20000", {"CPUQuotaPerSecUSec": 400_000, "CPUQuotaPeriodUSec": 50_000}),
        ("cpu.max", "1000 7000", {"CPUQuotaPerSecUSec": 142_858, "CPUQuotaPeriodUSec": 7000}),
        ("cpuset.cpus", "0-1", {"AllowedCPUs": b"\x03" + bytes(7)}),
        ("cpuset.mems", "", {"AllowedMemoryNodes": b""}),
        ("memory.max", "10M", {"MemoryMax": 10 << 20}),
        ("memory.max", "max", {"MemoryMax": INFINITY}),
        ("memory.low", "0", {"MemoryLow": 0}),
        ("memory.swap.max", "0", {"MemorySwapMax": 0}),
        ("memory.zswap.writeback", "0", {"MemoryZSwapWriteback": False}),
        ("pids.max", "7", {"TasksMax": 7}),
        ("pids.max", "max", {"TasksMax": INFINITY}),
        ("io.weight", "default 200", {"IOWeight": 200}),
        ("io.weight", "200", {"IOWeight": 200}),
        ("io.weight", "8:0 50", {"IODeviceWeight": (("/dev/block/8:0", 50),)}),
        (
            "io.max",
            "8:0 rbps=1M wiops=max",
            {"IOReadBandwidthMax": (("/dev/block/8:0", 1 << 20),), "IOWriteIOPSMax": (("/dev/block/8:0", INFINITY),)},
        ),
        ("io.latency", "8:0 target=25000", {"IODeviceLatencyTargetUSec": (("/dev/block/8:0", 25_000),)}),
    ],
)
def test_properties(file, value, found):
    assert values(file, value, "max 50000") == found


def test_the_kernel_gets_the_quota_that_was_asked_for():
    for quota, period in ((1000, 7000), (33_333, 100_000), (5001, 9999)):
        per_second = values("cpu.max", f"{quota} {period}")["CPUQuotaPerSecUSec"]
        assert per_second * period // 1_000_000 == quota


def test_files_without_a_property():
    for file in ("cpu.max.burst", "memory.oom.group", "cgroup.freeze", "cpuset.cpus.partition"):
        assert properties(file, "1", "") is None


@pytest.mark.parametrize(
    ("file", "value", "message"),
    [
        ("cpu.weight", "0", "'0' is not a weight"),
        ("cpu.idle", "2", "'2' is neither 0 nor 1"),
        ("cpu.max", "much", "'much' is not a quota and a period"),
        ("cpu.max", "1 2 3", "'1 2 3' is not a quota and a period"),
        ("cpu.max", "1 2", "'2' is out of range for a period"),
        ("cpu.max", "0", "'0' is too little"),
        ("memory.max", "0", "'0' is too little"),
        ("memory.zswap.writeback", "x", "'x' is neither 0 nor 1"),
        ("io.max", "rbps=1", "'rbps=1' has no device in front"),
        ("io.max", "8:0 speed=1", "'speed=1' is not a limit"),
        ("io.max", "8:0 rbps=0", "'rbps=0' is too little"),
        ("io.weight", "8:x 5", "'8:x 5' has no device in front"),
        ("io.latency", "8:0 25ms", "'8:0 25ms' is not a latency target"),
    ],
)
def test_wrong_values(file, value, message):
    with pytest.raises(ValueProblem) as caught:
        properties(file, value, "max 100000")
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("file", "before", "written", "back"),
    [
        ("memory.max", "max\n", "5", "max"),
        ("io.weight", "default 100\n8:0 5\n", "200", "default 100"),
        ("io.weight", "default 100\n8:0 5\n", "8:0 7", "8:0 5"),
        ("io.weight", "default 100\n", "8:0 7", "8:0 default"),
        (
            "io.max",
            "8:0 rbps=5 wbps=max riops=max wiops=max\n",
            "8:0 rbps=1",
            "8:0 rbps=5 wbps=max riops=max wiops=max",
        ),
        ("io.max", "", "8:0 rbps=1", "8:0 rbps=max wbps=max riops=max wiops=max"),
        ("io.latency", "", "8:0 target=1", "8:0 target=0"),
    ],
)
def test_put_back(file, before, written, back):
    assert put_back(file, before, written) == back
    if file != "memory.max":
        assert properties(file, back, before)


def test_what_has_verbs():
    assert verb_for("cgroup.kill") == "nsunit cgroup delete --kill"
    assert verb_for("cpu.max") is None


@pytest.mark.parametrize(
    ("file", "source", "target", "written"),
    [
        ("cpu.max", "max 100000\n", "max 100000\n", []),
        ("cpu.max", "5 10\n", "max 100000\n", ["5 10"]),
        ("cpuset.cpus", "\n", "0-1\n", []),
        ("io.max", "8:0 rbps=1\n8:16 rbps=2\n", "8:0 rbps=1\n", ["8:16 rbps=2"]),
        ("io.max", "", "8:0 rbps=1\n", ["8:0 rbps=max wbps=max riops=max wiops=max"]),
        ("io.weight", "default 50\n", "default 100\n8:0 7\n", ["default 50", "8:0 default"]),
    ],
)
def test_what_a_copy_writes(file, source, target, written):
    assert to_copy(file, source, target) == written


def test_what_is_no_setting():
    files = (
        "cgroup.procs cgroup.freeze cpu.weight.nice memory.peak memory.reclaim io.pressure memory.max cgroup.max.depth"
    )
    assert [file for file in files.split() if is_setting(file)] == ["memory.max", "cgroup.max.depth"]
