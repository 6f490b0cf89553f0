"""linux.resources: limits of a control group."""

from __future__ import annotations

from nsunit.imports.bundle.table import lost
from nsunit.imports.lxc.limits import file_of_version_2
from nsunit.imports.model import NotCarried
from nsunit.imports.podman import limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, Any], None]

_THROTTLES = {
    "throttleReadBpsDevice": "IOReadBandwidthMax",
    "throttleReadIOPSDevice": "IOReadIOPSMax",
    "throttleWriteBpsDevice": "IOWriteBandwidthMax",
    "throttleWriteIOPSDevice": "IOWriteIOPSMax",
}
_ALWAYS = frozenset(((1, 3), (1, 5), (1, 7), (5, 0), (5, 1), (5, 2), (1, 8), (1, 9), (136, None), (136, -1)))
_CGROUP_1 = ("only cgroup version 1 has it", "leave it out")


def _hold(name: str) -> Handler:
    return lambda target, value: target.hold(name, str(value))


def _number(key: str, section: str = "Slice", end: str = "") -> Handler:
    def take(target: Target, value: Any) -> None:
        target.say(key, "infinity" if value == -1 else f"{int(value)}{end}", section)

    return take


def _text(key: str) -> Handler:
    return lambda target, value: target.plain(key, str(value), "Slice")


def _devices(target: Target, rules: Any) -> None:
    for rule in rules:
        numbers = (rule.get("major"), rule.get("minor"))
        access = rule.get("access", "rwm")
        if not rule["allow"] or numbers in _ALWAYS or access == "m":
            continue
        names = {"c": "char", "b": "block"}
        if rule.get("type") not in names or None in numbers or -1 in numbers:
            target.remark("not all devices of a kind are given", "use Device= for each")
        else:
            target.say("DeviceAllow", f"/dev/{names[rule['type']]}/{numbers[0]}:{numbers[1]} {access}", "Service")


def _huge_pages(target: Target, found: Any) -> None:
    for item in found:
        target.say("HugeTLBMax", f"{item['pageSize'].removesuffix('B')} {item['limit']}")


def _rdma(target: Target, devices: Any) -> None:
    for name, item in devices.items():
        handles, objects = (item.get(key, "infinity") for key in ("hcaHandles", "hcaObjects"))
        target.plain("RDMAMax", f"{name} hca_handle={handles} hca_object={objects}")


def _weights(target: Target, found: Any) -> None:
    for item in found:
        limits.device_weight(target, f"/dev/block/{item['major']}:{item['minor']}:{item['weight']}")


def _throttle(key: str) -> Handler:
    def take(target: Target, found: Any) -> None:
        for item in found:
            limits.device_rate(target, key, f"/dev/block/{item['major']}:{item['minor']}:{item['rate']}")

    return take


def _unified(target: Target, files: Any) -> None:
    for name, value in files.items():
        try:
            file_of_version_2(target, name, str(value))
        except NotCarried as why:
            target.remark(why.reason, why.instead)


RESOURCES: dict[str, Handler] = {
    "blockIO.leafWeight": lost(*_CGROUP_1),
    **{f"blockIO.{name}": _throttle(key) for name, key in _THROTTLES.items()},
    "blockIO.weight": lambda target, value: limits.io_weight(target, str(value)),
    "blockIO.weightDevice": _weights,
    "cpu.burst": _number("CPUBurstSec", "Container", "us"),
    "cpu.cpus": _text("AllowedCPUs"),
    "cpu.idle": lambda target, value: limits.cgroup_file(target, f"cpu.idle={int(value)}"),
    "cpu.mems": _text("AllowedMemoryNodes"),
    "cpu.period": _hold("cpu-period"),
    "cpu.quota": _hold("cpu-quota"),
    **dict.fromkeys(("cpu.realtimePeriod", "cpu.realtimeRuntime"), lost(*_CGROUP_1)),
    "cpu.shares": lambda target, value: limits.shares(target, str(value)),
    "devices": _devices,
    "hugepageLimits": _huge_pages,
    "memory.checkBeforeUpdate": lost("systemd writes limits without looking", "leave it out"),
    **dict.fromkeys(
        [f"memory.{name}" for name in ("disableOOMKiller", "kernel", "kernelTCP", "swappiness")], lost(*_CGROUP_1)
    ),
    "memory.limit": _hold("memory"),
    "memory.reservation": _number("MemoryLow"),
    "memory.swap": _hold("memory-swap"),
    "memory.useHierarchy": lambda _target, _value: None,  # version 2 has nothing else
    **dict.fromkeys(("network.classID", "network.priorities"), lost(*_CGROUP_1)),
    "pids.limit": lambda target, value: limits.tasks(target, str(value)),
    "rdma": _rdma,
    "unified": _unified,
}
