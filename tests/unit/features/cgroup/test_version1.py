import pytest

from nsunit.definition.words import ValueProblem
from nsunit.features.cgroup import version1 as cgroup_v1


@pytest.mark.parametrize(
    ("name", "value", "now", "file", "text"),
    [
        ("memory.max", "10M", "max", "memory.max", "10M"),
        ("cpu.shares", "1024", "100", "cpu.weight", "100"),
        ("cpu.shares", "2", "100", "cpu.weight", "1"),
        ("cpu.shares", "262144", "100", "cpu.weight", "10000"),
        ("cpu.cfs_quota_us", "20000", "max 50000", "cpu.max", "20000 50000"),
        ("cpu.cfs_quota_us", "-1", "20000 50000", "cpu.max", "max 50000"),
        ("cpu.cfs_period_us", "10000", "20000 50000", "cpu.max", "20000 10000"),
        ("cpu.cfs_period_us", "10000", "max 100000", "cpu.max", "max 10000"),
        ("memory.limit_in_bytes", "1G", "max", "memory.max", "1G"),
        ("memory.limit_in_bytes", "-1", "5", "memory.max", "max"),
        ("memory.soft_limit_in_bytes", "5", "0", "memory.low", "5"),
        ("blkio.weight", "500", "default 100", "io.weight", "100"),
        ("blkio.weight_device", "8:0 1000", "", "io.weight", "8:0 200"),
        ("blkio.throttle.read_bps_device", "8:0 1048576", "", "io.max", "8:0 rbps=1048576"),
        ("blkio.throttle.write_iops_device", "8:0 0", "", "io.max", "8:0 wiops=max"),
        ("freezer.state", "FROZEN", "0", "cgroup.freeze", "1"),
        ("freezer.state", "THAWED", "1", "cgroup.freeze", "0"),
    ],
)
def test_written(name, value, now, file, text):
    assert cgroup_v1.translate(name, value, now) == (file, text)
    assert cgroup_v1.file_of(name) == file


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("cpu.weight", "100\n", "100"),
        ("cpu.shares", "100\n", "1024"),
        ("cpu.cfs_quota_us", "max 100000\n", "-1"),
        ("cpu.cfs_quota_us", "5000 10000\n", "5000"),
        ("cpu.cfs_period_us", "5000 10000\n", "10000"),
        ("cpuacct.usage", "usage_usec 5\nuser_usec 2\nsystem_usec 3\n", "5000"),
        ("memory.limit_in_bytes", "max\n", "9223372036854771712"),
        ("memory.limit_in_bytes", "4096\n", "4096"),
        ("memory.failcnt", "low 0\nmax 7\noom 1\n", "7"),
        ("blkio.weight", "8:0 50\ndefault 100\n", "500"),
        ("blkio.weight_device", "default 100\n8:0 50\n", "8:0 250"),
        (
            "blkio.throttle.read_bps_device",
            "8:0 rbps=9 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=1 riops=max wiops=max",
            "8:0 9",
        ),
        ("freezer.state", "1\n", "FROZEN"),
        ("freezer.state", "0\n", "THAWED"),
    ],
)
def test_shown(name, text, shown):
    assert cgroup_v1.shown(name, text) == shown


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cpu.shares", "many", "'many' is not a number"),
        ("freezer.state", "COLD", "'COLD' is not a state of the freezer"),
        ("cpuacct.usage", "0", "'cpuacct.usage' can only be read"),
        ("blkio.throttle.read_bps_device", "8:0", "'' is not a number"),
    ],
)
def test_wrong_values(name, value, message):
    with pytest.raises(ValueProblem) as caught:
        cgroup_v1.translate(name, value, "")
    assert caught.value.message == message


def test_what_version_2_does_not_have():
    names = (
        "tasks cpu.rt_runtime_us memory.memsw.limit_in_bytes memory.kmem.usage_in_bytes devices.allow net_cls.classid"
    )
    for name in names.split():
        assert cgroup_v1.reason(name), name
    assert "devices" not in (cgroup_v1.reason("net_prio.ifpriomap") or "")
    for name in ("cpu.max", "memory.max", "cpuset.mems", "cpuset.cpus.partition", "cgroup.procs", "io.max", "nothing"):
        assert cgroup_v1.reason(name) is None, name


def test_nothing_is_both_translated_and_refused():
    assert not set(cgroup_v1.TRANSLATIONS) & set(cgroup_v1.REASONS)
