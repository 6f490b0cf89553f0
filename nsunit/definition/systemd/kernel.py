"""The kernel's own names for what there are keys for: why it is none, and after a `; ` what to use.

Both versions' files are here, since advice from the time of version 1 is what people find.
"""

from __future__ import annotations

_NAME = "it is the kernel's own name"
_V1 = "only cgroup version 1 has it"
_COUNTED = "it is a count, which nobody can set"
_CORE = "systemd looks after it"
_PARTITION = "a partition needs all groups above it to be partitions, and those belong to systemd"
_NETWORK = "only cgroup version 1 has it, nftables matches control groups by themselves"
_REAL_TIME = "only cgroup version 1 has it, version 2 has no time for real-time processes of its own"
_MACHINE = "it is about a disk of the whole machine; set it by a rule of udev, as systemd's iocost does"


def _each(text: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), text)


VERSION_1 = {
    "cpu.shares": f"{_V1}; use CPUWeight=",
    "cpu.cfs_quota_us": f"{_V1}; use CPUQuota=",
    "cpu.cfs_period_us": f"{_V1}; use CPUQuotaPeriodSec=",
    "cpu.cfs_burst_us": f"{_V1}; use [Container] CPUBurstSec=",
    **_each(f"{_REAL_TIME}; use [Service] CPUSchedulingPolicy=", "cpu.rt_runtime_us cpu.rt_period_us"),
    **_each(f"{_V1}; use nsunit stats", "cpuacct.usage cpuacct.stat cpuacct.usage_percpu"),
    **_each(
        f"{_V1}; use AllowedCPUs=",
        "cpuset.cpu_exclusive cpuset.sched_load_balance cpuset.sched_relax_domain_level cpuset.effective_cpus",
    ),
    **_each(
        f"{_V1}; use AllowedMemoryNodes=",
        "cpuset.mem_exclusive cpuset.mem_hardwall cpuset.memory_migrate cpuset.effective_mems",
    ),
    "memory.limit_in_bytes": f"{_V1}; use MemoryMax=",
    "memory.soft_limit_in_bytes": f"{_V1}; use MemoryHigh=",
    "memory.memsw.limit_in_bytes": f"{_V1}, version 2 counts swap by itself; use MemorySwapMax=",
    **_each(
        f"{_V1}, version 2 counts the kernel's memory with the rest; use MemoryMax=",
        "memory.kmem.limit_in_bytes memory.kmem.tcp.limit_in_bytes",
    ),
    "memory.swappiness": f"{_V1}; use MemorySwapMax=",
    "memory.oom_control": f"{_V1}; use [Service] OOMPolicy=",
    "memory.force_empty": f"{_V1}; use nsunit reclaim",
    "memory.pressure_level": f"{_V1}; use [Service] MemoryPressureWatch=",
    "memory.use_hierarchy": f"{_V1}, version 2 always does; leave it out",
    "memory.move_charge_at_immigrate": f"{_V1}; leave it out",
    **_each(f"{_V1}; use nsunit stats", "memory.usage_in_bytes memory.max_usage_in_bytes memory.failcnt"),
    **_each(f"{_V1}; use IOWeight=", "blkio.weight blkio.leaf_weight blkio.bfq.weight"),
    **_each(f"{_V1}; use IODeviceWeight=", "blkio.weight_device blkio.leaf_weight_device blkio.bfq.weight_device"),
    "blkio.throttle.read_bps_device": f"{_V1}; use IOReadBandwidthMax=",
    "blkio.throttle.write_bps_device": f"{_V1}; use IOWriteBandwidthMax=",
    "blkio.throttle.read_iops_device": f"{_V1}; use IOReadIOPSMax=",
    "blkio.throttle.write_iops_device": f"{_V1}; use IOWriteIOPSMax=",
    "devices.allow": f"{_V1}; use DeviceAllow=",
    "devices.deny": f"{_V1}; use DevicePolicy=",
    "freezer.state": f"{_V1}; use nsunit pause and nsunit resume",
    "hugetlb.2MB.limit_in_bytes": f"{_V1}; use [Container] HugeTLBMax=",
    "hugetlb.2MB.rsvd.limit_in_bytes": f"{_V1}; use [Container] HugeTLBReservationMax=",
    "net_cls.classid": f"{_NETWORK}; use NFTSet=",
    "net_prio.ifpriomap": f"{_NETWORK}; use NFTSet=",
    **_each(f"{_V1}; leave it out", "notify_on_release release_agent cgroup.clone_children"),
}

VERSION_2 = {
    "cpu.weight": f"{_NAME}; use CPUWeight=",
    "cpu.weight.nice": f"{_NAME}; use CPUWeight=",
    "cpu.idle": f"{_NAME}; use CPUWeight=idle",
    "cpu.max": f"{_NAME}; use CPUQuota=",
    "cpu.max.burst": f"{_NAME}; use [Container] CPUBurstSec=",
    "cpu.uclamp.min": f"{_NAME}; use [Container] CPUUtilizationMin=",
    "cpu.uclamp.max": f"{_NAME}; use [Container] CPUUtilizationMax=",
    "cpuset.cpus": f"{_NAME}; use AllowedCPUs=",
    "cpuset.mems": f"{_NAME}; use AllowedMemoryNodes=",
    "cpuset.cpus.partition": f"{_NAME}; use CPUSetPartition=",
    "cpuset.cpus.exclusive": f"{_PARTITION}; use AllowedCPUs=",
    "memory.min": f"{_NAME}; use MemoryMin=",
    "memory.low": f"{_NAME}; use MemoryLow=",
    "memory.high": f"{_NAME}; use MemoryHigh=",
    "memory.max": f"{_NAME}; use MemoryMax=",
    "memory.swap.max": f"{_NAME}; use MemorySwapMax=",
    "memory.swap.high": f"{_NAME}; use [Container] MemorySwapHigh=",
    "memory.zswap.max": f"{_NAME}; use MemoryZSwapMax=",
    "memory.zswap.writeback": f"{_NAME}; use MemoryZSwapWriteback=",
    "memory.oom.group": f"{_NAME}; use [Service] OOMPolicy=",
    "memory.reclaim": "it is a deed and no limit; use nsunit reclaim",
    **_each(
        "a reset is seen by the process that made it only; use nsunit stats --watch", "memory.peak memory.swap.peak"
    ),
    **_each(
        f"{_COUNTED}; use nsunit stats",
        "memory.current memory.stat memory.events cpu.stat cpu.stat.local io.stat pids.current pids.peak cgroup.stat"
        " cgroup.stat.local cgroup.events rdma.current rdma.peak rdma.events rdma.events.local misc.current misc.peak"
        " misc.events dmem.current",
    ),
    "io.weight": f"{_NAME}; use IOWeight=",
    "io.bfq.weight": f"{_NAME}; use IOWeight=",
    "io.max": f"{_NAME}; use IOReadBandwidthMax=, IOWriteBandwidthMax=, IOReadIOPSMax= or IOWriteIOPSMax=",
    "io.latency": f"{_NAME}; use IODeviceLatencyTargetSec=",
    "io.prio.class": f"{_NAME}; use [Service] IOSchedulingClass=",
    **_each(_MACHINE, "io.cost.qos io.cost.model"),
    "pids.max": f"{_NAME}; use TasksMax=",
    "hugetlb.2MB.max": f"{_NAME}; use [Container] HugeTLBMax=",
    "hugetlb.2MB.rsvd.max": f"{_NAME}; use [Container] HugeTLBReservationMax=",
    "rdma.max": f"{_NAME}; use [Container] RDMAMax=",
    "misc.max": f"{_NAME}; use [Container] MiscMax=",
    **_each(
        "systemd does not know the controller, nor do the kernels of Debian; leave it out", "dmem.max dmem.min dmem.low"
    ),
    "cgroup.freeze": f"{_NAME}; use nsunit pause and nsunit resume",
    "cgroup.kill": "it is a deed and no limit; use nsunit kill --signal=SIGKILL",
    "cgroup.max.descendants": f"{_NAME}; use [Container] CGroupsMax=",
    "cgroup.max.depth": f"{_NAME}; use [Container] CGroupDepthMax=",
    "cgroup.subtree_control": f"{_CORE}; use [Service] Delegate=",
    **_each(f"{_CORE}; leave it out", "cgroup.type cgroup.procs cgroup.threads cgroup.pressure"),
}


def refusal(name: str) -> str | None:
    """Why the kernel's file *name* is no key, and after a `; ` what to use; None if there is no such file."""
    words = name.split(".")
    if words[0] == "hugetlb" and len(words) > 2:
        words[1] = "2MB"  # each page size has its own
        name = ".".join(words)
    return VERSION_2.get(name) or VERSION_1.get(name)
