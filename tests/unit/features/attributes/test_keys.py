"""Limits that systemd has no property for, and the kernel's own names for limits."""

from __future__ import annotations

import pytest
from definitions import container, problems_of

from nsunit.definition.load import Host
from nsunit.definition.setting import lookup
from nsunit.features.attributes.keys import CGROUP, of
from nsunit.features.attributes.values import key_of

BASE = "[Container]\nRootfs=/srv/r\nExec=/bin/sh\n"
HOST = Host(257)
QUOTA = "[Service]\nCPUQuota=30%\n"


def attributes(text: str) -> tuple[tuple[str, str, str], ...]:
    return of(container(text))


def problem(text: str) -> tuple[str, str | None]:
    (found,) = problems_of(lambda: container(text))
    return found.message, found.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CPUBurstSec=20ms\n" + QUOTA, ("cpu.max.burst", "", "20000")),
        ("CPUBurstSec=30ms\n" + QUOTA, ("cpu.max.burst", "", "30000")),
        ("CPUBurstSec=3ms\n" + QUOTA + "CPUQuotaPeriodSec=10ms\n", ("cpu.max.burst", "", "3000")),
        # systemd lengthens the period until the quota is 1 ms.
        ("CPUBurstSec=1ms\n[Service]\nCPUQuota=0.5%\n", ("cpu.max.burst", "", "1000")),
        ("CPUUtilizationMin=12.5%\n", ("cpu.uclamp.min", "", "12.50")),
        ("CPUUtilizationMax=infinity\n", ("cpu.uclamp.max", "", "max")),
        ("MemorySwapHigh=1M\n", ("memory.swap.high", "", "1048576")),
        ("MemorySwapHigh=infinity\n", ("memory.swap.high", "", "max")),
        ("HugeTLBMax=2M 64M\n", ("hugetlb.2MB.max", "", "67108864")),
        ("HugeTLBMax=1G 0\n", ("hugetlb.1GB.max", "", "0")),
        ("HugeTLBReservationMax=64K infinity\n", ("hugetlb.64KB.rsvd.max", "", "max")),
        ("RDMAMax=mlx4_0 hca_object=5\n", ("rdma.max", "mlx4_0", "hca_handle=max hca_object=5")),
        ("RDMAMax=a hca_object=5 hca_handle=infinity\n", ("rdma.max", "a", "hca_handle=max hca_object=5")),
        ("MiscMax=sev_es 0\n", ("misc.max", "sev_es", "0")),
        ("MiscMax=sev 4\nMiscMax=sev infinity\n", ("misc.max", "sev", "max")),
        ("CGroupsMax=0\n", ("cgroup.max.descendants", "", "2")),
        ("CGroupsMax=infinity\n", ("cgroup.max.descendants", "", "max")),
        ("CGroupDepthMax=3\n", ("cgroup.max.depth", "", "4")),
        ("MemorySwapHigh=1M\n[Service]\nDelegate=memory pids\n", ("memory.swap.high", "", "1048576")),
    ],
)
def test_values(text, expected):
    assert attributes(text) == (expected,)


def test_each_page_size_and_resource_counts_once_and_an_empty_value_takes_all_back():
    text = "HugeTLBMax=2M 4M\nHugeTLBMax=1G 1G\nHugeTLBMax=2M 8M\n"
    assert attributes(text) == (("hugetlb.2MB.max", "", "8388608"), ("hugetlb.1GB.max", "", "1073741824"))
    assert attributes(text + "HugeTLBMax=\n") == ()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("CPUBurstSec=x\n", "CPUBurstSec: 'x' is not a time span", None),
        (
            "CPUBurstSec=infinity\n",
            "CPUBurstSec: 'infinity' is too long a burst",
            "it is at most the quota of one period",
        ),
        (
            "CPUBurstSec=1ms\n[Slice]\nCPUQuota=30%\n",
            "CPUBurstSec: [Service] has no CPUQuota= that could be exceeded",
            "set [Service] CPUQuota=; the slice, with its CPUQuota=, belongs to systemd",
        ),
        (
            "CPUBurstSec=31ms\n" + QUOTA,
            "CPUBurstSec: '31000us' is more than the quota of one period, which is 30000us",
            "raise [Service] CPUQuota= or CPUQuotaPeriodSec=",
        ),
        ("CPUUtilizationMin=101%\n", "CPUUtilizationMin: '101%' is more than 100%", None),
        ("CPUUtilizationMax=5\n", "CPUUtilizationMax: '5' is not a percentage", "e.g. 30%"),
        ("MemorySwapHigh=10%\n", "MemorySwapHigh: '10%' is not a size", None),
        ("HugeTLBMax=64M\n", "HugeTLBMax: '64M' is not a page size and a size", "e.g. 2M 64M"),
        (
            "HugeTLBMax=3M 64M\n",
            "HugeTLBMax: '3M' is not a size of pages",
            "see /sys/kernel/mm/hugepages for those of this machine",
        ),
        ("RDMAMax=mlx4_0\n", "RDMAMax: 'mlx4_0' is not an RDMA device with its limits", None),
        ("RDMAMax=a hca_handle=1 hca_handle=2\n", "RDMAMax: 'a hca_handle=1 hca_handle=2' is not an RDMA device", None),
        ("RDMAMax=a/b hca_handle=1\n", "RDMAMax: 'a/b' is not the name of an RDMA device", None),
        ("RDMAMax=a hca_handle=-1\n", "RDMAMax: '-1' is not a number", None),
        ("MiscMax=sev\n", "MiscMax: 'sev' is not a resource and a number", "e.g. sev 4"),
        ("MiscMax=s=v 4\n", "MiscMax: 's=v' is not the name of a resource", None),
        ("CGroupsMax=-1\n", "CGroupsMax: '-1' is not a number", "use a number or infinity"),
        (
            "CGroupsMax=1\n[Service]\nDelegate=no\n",
            "CGroupsMax: nsunit may not write to a control group that is not delegated",
            "leave out [Service] Delegate=no",
        ),
        (
            "MemorySwapHigh=1M\n[Service]\nDelegate=cpu pids\n",
            "MemorySwapHigh: the controller 'memory' is not delegated",
            "add memory to [Service] Delegate=",
        ),
    ],
)
def test_wrong_values(text, message, hint):
    found = problem(text)
    assert found[0].startswith(f"[Container] {message}")
    assert hint is None or found[1] == hint


@pytest.mark.parametrize("key", CGROUP)
def test_every_attribute_knows_its_key_and_changes_live(key):
    setting = lookup("Container", key)
    assert setting is not None
    assert setting.live
    assert key_of(setting.parse(setting.example)[0]) == key
