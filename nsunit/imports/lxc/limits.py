"""lxc.cgroup and lxc.cgroup2: files of the kernel's, version 1 and 2, as keys of systemd's."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.podman import limits
from nsunit.imports.text import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lxc.config import Config
    from nsunit.imports.podman.target import Target

_SIZES_1 = {
    "memory.limit_in_bytes": "MemoryMax",
    "memory.soft_limit_in_bytes": "MemoryLow",
    "memory.swap.max": "MemorySwapMax",
}
_RATES_1 = {
    "blkio.throttle.read_bps_device": "IOReadBandwidthMax",
    "blkio.throttle.read_iops_device": "IOReadIOPSMax",
    "blkio.throttle.write_bps_device": "IOWriteBandwidthMax",
    "blkio.throttle.write_iops_device": "IOWriteIOPSMax",
}
_VERSION_1 = ("only cgroup version 1 has it", "leave it out")
# Nodes that a container has anyway, and that nodes can be made, without being opened.
_ALWAYS = frozenset("c 1:3|c 1:5|c 1:7|c 5:0|c 5:1|c 5:2|c 1:8|c 1:9|c 136:*|c *:*|b *:*".split("|"))


def version_1(target: Target, config: Config, file: str, text: str) -> None:
    """A file of cgroup version 1."""
    if file.startswith("devices."):
        if not config.values(f"lxc.cgroup2.{file}"):
            _device(target, file, text)
    elif file in _SIZES_1:
        if not text.startswith("-"):
            target.say(_SIZES_1[file], size(text), "Slice")
    elif file == "memory.memsw.limit_in_bytes":
        target.hold("memory", config.last("lxc.cgroup.memory.limit_in_bytes"))
        target.hold("memory-swap", text)
        limits.memory(target)
    elif file == "cpu.shares":
        limits.shares(target, text)
    elif file in ("cpu.cfs_quota_us", "cpu.cfs_period_us"):
        target.hold("cpu-quota" if file == "cpu.cfs_quota_us" else "cpu-period", text)
    elif file == "blkio.weight":
        limits.io_weight(target, text)
    elif file in _RATES_1:
        device, _, rate = text.partition(" ")
        limits.device_rate(target, _RATES_1[file], f"/dev/block/{device}:{rate.strip()}".replace(" ", ""))
    elif file in ("cpuset.cpus", "cpuset.mems", "pids.max"):
        limits.cgroup_file(target, f"{file}={text}")
    elif file == "freezer.state":
        raise NotCarried("it is about a container that runs", "use 'nsunit pause'")
    else:
        raise NotCarried(*_VERSION_1)


def version_2(target: Target, _config: Config, file: str, text: str) -> None:
    """A file of cgroup version 2, or a rule about devices."""
    if file.startswith("devices."):
        _device(target, file, text)
    else:
        file_of_version_2(target, file, text)


def file_of_version_2(target: Target, file: str, text: str) -> None:
    """A file of cgroup version 2."""
    if file == "memory.swap.high":
        target.say("MemorySwapHigh", "infinity" if text == "max" else size(text))
    elif file == "memory.oom.group":
        target.say("OOMPolicy", "kill" if text == "1" else "continue", "Service")
    else:
        is_size = file.startswith("memory.") and text[-1:].isalpha() and text != "max"
        limits.cgroup_file(target, f"{file}={size(text) if is_size else text}")


def _device(target: Target, file: str, text: str) -> None:
    """`c 10:200 rwm`, or `a` for all."""
    kind, _, rest = text.partition(" ")
    numbers, _, rights = rest.partition(" ")
    if file == "devices.deny":
        if kind != "a":
            raise NotCarried("all devices are denied but those that are named", "leave it out")
        return
    if kind == "a":
        raise NotCarried("not all devices are given", "use Device= for each")
    if f"{kind} {numbers}" in _ALWAYS:
        return
    major, _, minor = numbers.partition(":")
    names = {"c": "char", "b": "block"}
    if kind not in names or not major.isdecimal() or not (minor.isdecimal() or minor == "*"):
        raise NotCarried(f"'{text}' is no rule about devices", "use Device=, or [Service] DeviceAllow=")
    if minor == "*":
        raise NotCarried(f"'{text}' is about all devices of a driver", "use Device= for each that it needs")
    target.say("DeviceAllow", f"/dev/{names[kind]}/{major}:{minor} {rights.strip() or 'rwm'}", "Service")
