"""linux.resources as properties of a scope and as files of a cgroup."""

import pytest

from nsunit.bus.marshal import encode
from nsunit.oci.spec.check.schema import RESOURCES
from nsunit.oci.spec.check.shapes import FieldError, check
from nsunit.oci.spec.limits import update
from nsunit.oci.spec.limits.resources import Write, bits_of, for_cgroup, for_scope, refuse_memory, weight_of_shares
from nsunit.units import INFINITY

MEGA = 1 << 20


def texts(resources):
    return [(write.file, write.text) for write in for_cgroup(resources).files]


def values(resources, systemd=257):
    limits = for_scope(resources, systemd)
    for item in limits.properties:
        encode(item.signature, item.value)  # it fits
    return {item.name: item.value for item in limits.properties}


@pytest.mark.parametrize(
    ("shares", "weight"),
    [
        (1, 1),
        (2, 1),
        (10, 4),
        (100, 17),
        (512, 59),
        (1024, 100),
        (2048, 174),
        (10000, 627),
        (262144, 10000),
        (1 << 20, 10000),
    ],
)
def test_shares_become_a_weight_by_the_newest_rule(shares, weight):
    assert weight_of_shares(shares) == weight


# Resources; the files of a cgroup; the properties of a scope; the files that are left there.
TABLE = [
    ({"cpu": {"shares": 1024}}, [("cpu.weight", "100")], {"CPUWeight": 100}, []),
    ({"cpu": {"shares": 0}}, [], {}, []),
    (
        {"cpu": {"quota": 50000, "period": 100000}},
        [("cpu.max", "50000 100000")],
        {"CPUQuotaPeriodUSec": 100000, "CPUQuotaPerSecUSec": 500000},
        [("cpu.max", "50000 100000")],
    ),
    (
        {"cpu": {"quota": 12345, "period": 100000}},
        [("cpu.max", "12345 100000")],
        {"CPUQuotaPeriodUSec": 100000, "CPUQuotaPerSecUSec": 130000},
        [("cpu.max", "12345 100000")],
    ),
    ({"cpu": {"quota": -1}}, [("cpu.max", "max")], {"CPUQuotaPerSecUSec": INFINITY}, [("cpu.max", "max")]),
    (
        {"cpu": {"quota": 50000, "burst": 20000}},
        [("cpu.max.burst", "0"), ("cpu.max", "50000"), ("cpu.max.burst", "20000")],
        {"CPUQuotaPerSecUSec": 500000},
        [("cpu.max.burst", "0"), ("cpu.max", "50000"), ("cpu.max.burst", "20000")],
    ),
    ({"cpu": {"idle": 1, "shares": 1024}}, [("cpu.idle", "1")], {"CPUWeight": 0}, []),
    ({"cpu": {"idle": 0}}, [("cpu.idle", "0")], {"CPUWeight": INFINITY}, []),
    (
        {"cpu": {"cpus": "0-1,8", "mems": "0"}},
        [("cpuset.cpus", "0-1,8"), ("cpuset.mems", "0")],
        {"AllowedCPUs": b"\x03\x01", "AllowedMemoryNodes": b"\x01"},
        [],
    ),
    (
        {"memory": {"limit": 64 * MEGA, "swap": 128 * MEGA}},
        [("memory.swap.max", str(64 * MEGA)), ("memory.max", str(64 * MEGA))],
        {"MemoryMax": 64 * MEGA, "MemorySwapMax": 64 * MEGA},
        [],
    ),
    ({"memory": {"limit": 64 * MEGA}}, [("memory.max", str(64 * MEGA))], {"MemoryMax": 64 * MEGA}, []),
    (
        {"memory": {"limit": -1}},
        [("memory.swap.max", "max"), ("memory.max", "max")],
        {"MemoryMax": INFINITY, "MemorySwapMax": INFINITY},
        [],
    ),
    (
        {"memory": {"limit": 64 * MEGA, "swap": -1, "reservation": 32 * MEGA}},
        [("memory.swap.max", "max"), ("memory.max", str(64 * MEGA)), ("memory.low", str(32 * MEGA))],
        {"MemoryMax": 64 * MEGA, "MemoryLow": 32 * MEGA, "MemorySwapMax": INFINITY},
        [],
    ),
    ({"pids": {"limit": 50}}, [("pids.max", "50")], {"TasksMax": 50}, []),
    ({"pids": {"limit": 0}}, [("pids.max", "max")], {"TasksMax": INFINITY}, []),
    ({"pids": {"limit": -1}}, [("pids.max", "max")], {"TasksMax": INFINITY}, []),
    (
        {"blockIO": {"weight": 500, "weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}},
        [("io.bfq.weight", "500"), ("io.bfq.weight", "8:0 10")],
        {"IOWeight": 4950, "IODeviceWeight": (("/dev/block/8:0", 1),)},
        [("io.bfq.weight", "500"), ("io.bfq.weight", "8:0 10")],
    ),
    (
        {
            "blockIO": {
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": MEGA}, {"major": 8, "minor": 16, "rate": 5}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 100}],
            }
        },
        [("io.max", f"8:0 rbps={MEGA}"), ("io.max", "8:16 rbps=5"), ("io.max", "8:0 wiops=100")],
        {
            "IOReadBandwidthMax": (("/dev/block/8:0", MEGA), ("/dev/block/8:16", 5)),
            "IOWriteIOPSMax": (("/dev/block/8:0", 100),),
        },
        [("io.max", f"8:0 rbps={MEGA}"), ("io.max", "8:16 rbps=5"), ("io.max", "8:0 wiops=100")],
    ),
    (
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MEGA}]},
        [("hugetlb.2MB.max", str(4 * MEGA)), ("hugetlb.2MB.rsvd.max", str(4 * MEGA))],
        {},
        [("hugetlb.2MB.max", str(4 * MEGA)), ("hugetlb.2MB.rsvd.max", str(4 * MEGA))],
    ),
    (
        {"rdma": {"mlx5_0": {"hcaHandles": 2, "hcaObjects": 2000}, "mlx5_1": {"hcaObjects": 5}, "mlx5_2": {}}},
        [("rdma.max", "mlx5_0 hca_handle=2 hca_object=2000"), ("rdma.max", "mlx5_1 hca_object=5")],
        {},
        [("rdma.max", "mlx5_0 hca_handle=2 hca_object=2000"), ("rdma.max", "mlx5_1 hca_object=5")],
    ),
    (
        {"unified": {"memory.high": "100M", "cpu.max": "50000 100000", "cpuset.cpus": "0", "io.weight": "default 50"}},
        [
            *[("memory.high", "100M"), ("cpu.max", "50000 100000"), ("cpuset.cpus", "0")],
            ("io.weight", "default 50"),
        ],
        {
            "MemoryHigh": 100 * MEGA,
            "CPUQuotaPeriodUSec": 100000,
            "CPUQuotaPerSecUSec": 500000,
            "AllowedCPUs": b"\x01",
            "IOWeight": 50,
        },
        [("cpu.max", "50000 100000")],
    ),
    (
        {
            "unified": {
                "cpu.idle": "1\n",
                "pids.max": "max",
                "hugetlb.2MB.max": "0",
                "io.max": "8:0 rbps=1\n8:16 rbps=2",
            }
        },
        [
            *[("cpu.idle", "1"), ("pids.max", "max"), ("hugetlb.2MB.max", "0")],
            *[("io.max", "8:0 rbps=1"), ("io.max", "8:16 rbps=2")],
        ],
        {"CPUWeight": 0, "TasksMax": INFINITY},
        [("hugetlb.2MB.max", "0"), ("io.max", "8:0 rbps=1"), ("io.max", "8:16 rbps=2")],
    ),
    ({"unified": {"memory.oom.group": "1"}}, [("memory.oom.group", "1")], {"OOMPolicy": "kill"}, []),
]


@pytest.mark.parametrize(("resources", "files", "properties", "left"), TABLE)
def test_each_limit_is_set_in_both_ways(resources, files, properties, left):
    check(resources, RESOURCES, "")
    assert texts(resources) == files
    assert values(resources) == properties
    assert [(write.file, write.text) for write in for_scope(resources, 257).files] == left


def test_systemd_of_debian_12_has_no_oom_policy_for_scopes():
    limits = for_scope({"unified": {"memory.oom.group": "1"}}, 252)
    assert limits.properties == ()
    assert limits.files == (Write("memory.oom.group", "1"),)


def test_a_kernel_without_the_file_has_another_or_needs_none():
    files = for_cgroup({"blockIO": {"weight": 1000}, "memory": {"limit": MEGA, "swap": MEGA}}).files
    assert Write("io.bfq.weight", "1000", True, ("io.weight", "default 10000")) in files
    assert Write("memory.swap.max", "0", needed=False) in files


def test_controllers_are_told():
    limits = for_cgroup({"cpu": {"shares": 5, "cpus": "0"}, "hugepageLimits": [{"pageSize": "1GB", "limit": 0}]})
    assert limits.controllers() == ("cpu", "cpuset", "hugetlb")


def test_what_version_2_has_nothing_for_is_told():
    said = {
        "memory": {"swappiness": 60, "kernel": 5, "disableOOMKiller": True},
        "cpu": {"realtimeRuntime": 5},
        "network": {"classID": 7},
    }
    assert for_scope(said, 257).without == (
        "linux.resources.memory.kernel",
        "linux.resources.memory.swappiness",
        "linux.resources.memory.disableOOMKiller",
        "linux.resources.cpu.realtimeRuntime",
        "linux.resources.network.classID",
    )


WRONG = [
    ({"memory": {"swap": MEGA}}, "memory.swap: it is of memory and swap together, and memory has no limit"),
    (
        {"memory": {"limit": 5, "swap": 4}},
        "memory.swap: 4 is of memory and swap together, and less than the limit of memory, 5",
    ),
    ({"cpu": {"idle": 2}}, "cpu.idle: 2 is neither 0 nor 1"),
    ({"cpu": {"cpus": "0-"}}, "cpu.cpus: '0-' is no list of numbers, as 0-3,8 is"),
    ({"cpu": {"mems": "3-1"}}, "cpu.mems: '3-1' ends before it begins"),
    ({"blockIO": {"weight": 5}}, "blockIO.weight: 5 is not between 10 and 1000"),
    (
        {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 1001}]}},
        "blockIO.weightDevice[0].weight: 1001 is not between 10 and 1000",
    ),
    ({"hugepageLimits": [{"pageSize": "2M"}]}, "hugepageLimits[0].pageSize: '2M' is none, as 2MB and 1GB are"),
    ({"rdma": {"a b": {}}}, "rdma['a b']: it is no name of a device"),
    ({"unified": {"../x.y": "1"}}, "unified['../x.y']: it is no name of a file of a cgroup"),
    ({"unified": {"memory": "1"}}, "unified['memory']: it is not of the form CONTROLLER.FILE"),
    ({"unified": {"cgroup.procs": "1"}}, "unified['cgroup.procs']: it is the runtime's to write"),
    ({"unified": {"memory.high": "lots"}}, "unified['memory.high']: 'lots' is no number"),
]


@pytest.mark.parametrize(("resources", "text"), WRONG)
def test_what_cannot_be_had_is_named(resources, text):
    with pytest.raises(FieldError) as refused:
        for_scope(resources, 257)
    assert str(refused.value) == f"linux.resources.{text}"


def test_bits_are_lowest_first():
    assert bits_of("9", "x") == b"\x00\x02"


def test_memory_in_use_is_looked_at_when_that_is_asked_for():
    said = {"memory": {"limit": 5, "checkBeforeUpdate": True}}
    refuse_memory(said, 5)
    refuse_memory({"memory": {"limit": 5}}, 6)
    with pytest.raises(FieldError) as refused:
        refuse_memory(said, 6)
    assert str(refused.value) == "linux.resources.memory.limit: 5 is less than what is in use, 6"


class TestUpdate:
    def test_options_are_fields(self):
        options = {"memory": "64m", "memory-swap": "-1", "cpu-quota": "-1", "cpuset-cpus": "0-1", "pids-limit": "50"}
        assert update.of_options({**options, "blkio-weight": "100", "memory-reservation": "1024"}) == {
            "memory": {"limit": 64 * MEGA, "swap": -1, "reservation": 1024},
            "cpu": {"quota": -1, "cpus": "0-1"},
            "pids": {"limit": 50},
            "blockIO": {"weight": 100},
        }

    @pytest.mark.parametrize(
        ("option", "value", "text"),
        [
            ("memory", "lots", "--memory: 'lots' is no number"),
            ("cpu-share", "-1", f"--cpu-share: -1 is not between 0 and {(1 << 64) - 1}"),
            ("cpu-share", "5k", "--cpu-share: '5k' is no number"),
            ("blkio-weight", "65536", "--blkio-weight: 65536 is not between 0 and 65535"),
        ],
    )
    def test_an_option_that_is_no_number_is_named(self, option, value, text):
        with pytest.raises(FieldError) as refused:
            update.of_options({option: value})
        assert str(refused.value) == text

    def test_a_file_is_resources_without_devices(self):
        """What podman writes; docker speaks of what changes alone."""
        content = {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 50}, "memory": None}
        assert update.of_file(content) == {"pids": {"limit": 50}}
        with pytest.raises(FieldError) as refused:
            update.of_file({"pids": {"limit": "50"}})
        assert str(refused.value) == "pids.limit: expected a whole number, not the string '50'"
        with pytest.raises(FieldError) as refused:
            update.of_file([])
        assert str(refused.value) == "it holds no object"

    def test_what_it_does_not_speak_of_stays(self):
        before = {"memory": {"limit": 5, "swap": 10}, "pids": {"limit": 1}}
        assert update.merged(before, {"memory": {"limit": 6, "swap": None}, "cpu": {"shares": 2}}) == {
            "memory": {"limit": 6, "swap": 10},
            "pids": {"limit": 1},
            "cpu": {"shares": 2},
        }

    def test_a_quota_is_of_the_period_there_is(self):
        before = {"cpu": {"period": 50000, "shares": 5}}
        assert update.changing(before, {"cpu": {"quota": 1000}}) == {"cpu": {"period": 50000, "quota": 1000}}
        assert update.changing(before, {"pids": {"limit": 5}}) == {"pids": {"limit": 5}}

    def test_swap_is_what_is_above_the_limit_of_memory(self):
        before = {"memory": {"limit": 5, "swap": 10}}
        assert update.changing(before, {"memory": {"limit": 8}}) == {"memory": {"swap": 10, "limit": 8}}
        assert update.changing(before, {"memory": {"limit": 20}}) == {"memory": {"limit": 20}}
        assert update.changing(before, {"memory": {"swap": 7}}) == {"memory": {"limit": 5, "swap": 7}}
