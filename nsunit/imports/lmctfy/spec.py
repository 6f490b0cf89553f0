"""The fields of lmctfy's ContainerSpec, and what becomes of each."""

from __future__ import annotations

import ipaddress

from nsunit.imports import cgroups
from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.podman.mounts import bind
from nsunit.imports.text import command, truth
from nsunit.imports.text import path as part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.lmctfy.textformat import Field
    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, Field], None]

_OF_PROCESSES = ("a group has no processes of its own", "put it into [Service] of its containers")
_EVICTION, _EVICTION_MAX = 5000, 10_000  # the usual one, and the highest: the last to be killed
_MASK_WORDS_MAX = 128  # as many CPUs as the kernel can have, 8192
_ACCESS = {"READ": "r", "WRITE": "w", "MKNOD": "m", "1": "r", "2": "w", "3": "m"}
_LATENCIES = {"1": "BEST_EFFORT", "2": "NORMAL", "3": "PRIORITY", "4": "PREMIER"}


def unknown(_target: Target, field: Field) -> None:
    """What is no field that is known."""
    raise NotCarried(f"'{field.name}' is no field of lmctfy's that is known", "see lmctfy.proto")


def _lost(reason: str, instead: str) -> Handler:
    def handler(_target: Target, _field: Field) -> None:
        raise NotCarried(reason, instead)

    return handler


def _number(field: Field) -> int:
    try:
        return int(field.value, 0)
    except ValueError:
        raise NotCarried(f"'{field.value}' is no whole number", "write digits") from None


def _hold(target: Target, field: Field) -> None:
    """What counts together with others."""
    target.hold(target.origin.key, field.value)


def _bytes(key: str) -> Handler:
    """A limit in bytes; -1 is none."""

    def handler(target: Target, field: Field) -> None:
        if (found := _number(field)) >= 0:
            target.say(key, str(found), "Slice")

    return handler


def _memory(target: Target, field: Field) -> None:
    if (found := _number(field)) >= 0:
        target.hold(target.origin.key, str(found))


def _quota(target: Target, field: Field) -> None:
    if found := _number(field):
        target.say("CPUQuota", cgroups.percent(found / 1000), "Slice")


def _mask(target: Target, field: Field) -> None:
    """Words of 64 bits, of which the first has the first CPUs."""
    words = [_number(item) for item in field.fields if item.name == "data"]
    if len(words) > _MASK_WORDS_MAX or any(not 0 <= word < 1 << 64 for word in words):
        raise NotCarried("it has more CPUs than the kernel", "use [Slice] AllowedCPUs=")
    bits = sum(word << (64 * place) for place, word in enumerate(words))
    cpus = [number for number in range(bits.bit_length()) if bits >> number & 1]
    if not cpus:
        raise NotCarried("it has no CPU", "use [Slice] AllowedCPUs=")
    ranges: list[list[int]] = []
    for number in cpus:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    text = " ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    target.say("AllowedCPUs", text, "Slice")


def _latency(target: Target, field: Field) -> None:
    name = _LATENCIES.get(field.value, field.value)
    if name == "BEST_EFFORT":
        target.say("CPUWeight", "idle", "Slice")
        target.pending.pop("cpu.limit", None)
        target.hold("idle", "yes")
    elif name != "NORMAL":
        reason = f"mainline kernels promise no latency as '{name}' does"
        raise NotCarried(reason, "use [Slice] CPUWeight=, or [Service] CPUSchedulingPolicy=rr")


def _tmpfs(target: Target, field: Field) -> None:
    if target.draft.name.endswith(".slice"):
        raise NotCarried("a group has no mounts", "use Tmpfs= of its containers")
    for item in field.fields:
        target.words("Tmpfs", part(item.value))


def _device_of(field: Field) -> str:
    said = {item.name: item for item in field.fields}
    if "major" not in said or "minor" not in said:
        raise NotCarried("it does not say which device", "use major and minor")
    return f"{_number(said['major'])}:{_number(said['minor'])}"


def _default_share(target: Target, field: Field) -> None:
    """Percent of a disk's time, of which lmctfy made ten times as much of a weight."""
    cgroups.say(target, cgroups.lines("blkio.weight", str(_number(field) * 10), {}))


def _device_share(target: Target, field: Field) -> None:
    said = {item.name: item for item in field.fields}
    if "device" not in said or "limit" not in said:
        raise NotCarried("it does not say how much of which device", "use device and limit")
    value = f"{_device_of(said['device'])} {_number(said['limit']) * 10}"
    cgroups.say(target, cgroups.lines("blkio.weight_device", value, {}))


def _device_most(target: Target, field: Field) -> None:
    said = {item.name: item for item in field.fields}
    words = [said[name].value if name in said else "" for name in ("op_type", "limit_type")]
    direction = {"READ": "read", "1": "read", "WRITE": "write", "2": "write"}.get(words[0])
    unit = {"BYTES_PER_SECOND": "bps", "1": "bps", "IO_PER_SECOND": "iops", "2": "iops"}.get(words[1])
    if not direction or not unit or "max_limit" not in said:
        raise NotCarried("it does not say what is limited", "use op_type, limit_type and max_limit")
    for item in field.fields:
        if item.name == "devices":
            value = f"{_device_of(item)} {_number(said['max_limit'])}"
            cgroups.say(target, cgroups.lines(f"blkio.throttle.{direction}_{unit}_device", value, {}))


def _eviction(target: Target, field: Field) -> None:
    """0 to 10000, of which the highest is killed last."""
    found = _number(field)
    if not 0 <= found <= _EVICTION_MAX:
        raise NotCarried(f"'{field.value}' is out of range", "use [Service] OOMScoreAdjust=")
    if found == _EVICTION:
        return
    score = str(round((_EVICTION - found) / 5))
    if target.draft.name.endswith(".slice"):
        raise NotCarried(_OF_PROCESSES[0], f"put OOMScoreAdjust={score} into [Service] of its containers")
    target.say("OOMScoreAdjust", score, "Service")


def _files(target: Target, field: Field) -> None:
    found = _number(field)
    if target.draft.name.endswith(".slice"):
        raise NotCarried(_OF_PROCESSES[0], f"put LimitNOFILE={found} into [Service] of its containers")
    target.say("LimitNOFILE", str(found), "Service")


def _children(target: Target, field: Field) -> None:
    if target.draft.name.endswith(".slice"):
        raise NotCarried("containers of a group are not counted", "use CGroupsMax= of them")
    target.say("CGroupsMax", str(_number(field)))


def _counters(_target: Target, field: Field) -> None:
    if truth(field.value):
        raise NotCarried("every control group can be measured", "use 'perf stat --for-each-cgroup'")


def _restriction(target: Target, field: Field) -> None:
    said = {item.name: item.value for item in field.fields}
    rights = "".join(_ACCESS.get(item.value, "") for item in field.fields if item.name == "access")
    kind = {"DEVICE_CHAR": "c", "0": "c", "DEVICE_BLOCK": "b", "1": "b"}.get(said.get("type", ""), "")
    denied = said.get("permission") in ("DENY", "2")
    if not kind and denied:
        cgroups.say(target, cgroups.lines("devices.deny", "a", {}))
        return
    if not kind:
        raise NotCarried("all devices are more than a container may have", "use DeviceAllow= for each")
    value = f"{kind} {said.get('major', '*')}:{said.get('minor', '*')} {rights or 'rwm'}"
    cgroups.say(target, cgroups.lines("devices.deny" if denied else "devices.allow", value, {}))


def _root(target: Target, field: Field) -> None:
    target.plain("Rootfs", field.value)


def _mount(target: Target, field: Field) -> None:
    said = {item.name: item.value for item in field.fields}
    if target.draft.name.endswith(".slice"):
        raise NotCarried("a group has no mounts", "use Bind= of its containers")
    if not said.get("source") or not said.get("target"):
        raise NotCarried("it does not say what, or where", "use source and target")
    bind(target, said["source"], said["target"], ["ro"] if truth(said.get("read_only", "no")) else [])


def _hostname(target: Target, field: Field) -> None:
    target.plain("Hostname", field.value)


def _init(target: Target, field: Field) -> None:
    words = [item.value for item in field.fields if item.name == "init_argv"]
    if words:
        target.say("Exec", command(words))
    for item in field.fields:
        if item.name == "run_spec":
            target.origin = Origin(target.origin.path, item.line, f"{target.origin.key}.run_spec")
            target.remark("a service's streams are the journal's", "use [Service] StandardOutput=")


def _interface(target: Target, field: Field) -> None:
    target.plain("Network", f"phys:{field.value}")


def _address(target: Target, field: Field) -> None:
    """`virtual_ip`: address, mask, gateway and MTU of the link."""
    said = {item.name: item.value for item in field.fields}
    if not target.draft.has("Container", "Network"):
        target.hold("link", "")
        raise NotCarried("there is no link that it would be of", "use Network=macvlan:DEV:address=ADDRESS/LENGTH")
    if "ip" in said:
        try:
            known = ipaddress.ip_interface(f"{said['ip']}/{said.get('netmask') or '32'}")
        except ValueError:
            raise NotCarried(f"'{said['ip']}' is no address", "use Address=") from None
        target.say("Address", str(known))
    if "gateway" in said:
        target.plain("Gateway", said["gateway"])
    if "mtu" in said:
        target.remark("the MTU is that of the host's device", f"ip link set DEV mtu {said['mtu']}")
    for name in sorted(said.keys() - {"ip", "netmask", "gateway", "mtu"}):
        target.remark(f"'{name}' is about the host's kernel", "use Sysctl=")


def _link(target: Target, _field: Field) -> None:
    target.hold("link", "")
    raise NotCarried("links of the host are not made", "use Network=bridge, veth:NAME or macvlan:DEV")


def finish(target: Target, *, is_container: bool) -> None:
    """What counts together, and what a container is not without."""
    limit, most = (int(target.pending[key][0]) if key in target.pending else None for key in _MEMORY)
    if limit is not None:
        target.held(_MEMORY[0])
        if most is None or limit != most:
            target.say("MemoryHigh" if most is not None else "MemoryMax", str(limit), "Slice")
    if most is not None:
        target.held(_MEMORY[1])
        target.say("MemoryMax", str(most), "Slice")
    if "cpu.limit" in target.pending and "idle" not in target.pending:
        text = target.held("cpu.limit")
        weight = min(max(round(int(text) / 10), 1), 10_000) if text.isdecimal() else 0
        if not weight:
            target.remark(f"'{text}' is no number of milliseconds", "use [Slice] CPUWeight=")
        elif weight != 100:
            target.say("CPUWeight", str(weight), "Slice")
    if is_container:
        _container(target)


def _container(target: Target) -> None:
    path = target.base
    if not target.draft.has("Container", "Rootfs"):
        target.origin = Origin(path, 0, "virtual_host")
        target.say("Layer", "/")
        target.remark("it has the root of the host, which is a layer here", "what it writes is kept apart; use Rootfs=")
    if not target.draft.has("Container", "Network"):
        target.origin = Origin(path, 0, "virtual_host.network")
        target.say("Network", "bridge" if "link" in target.pending else "host")
    if not target.draft.has("Container", "Exec"):
        target.origin = Origin(path, 0, "virtual_host.init")
        target.say("Exec", "sleep infinity")
        target.remark("it has no program: one waits, for 'nsunit exec'", "use Exec=")


_MEMORY = ("memory.limit", "memory.max_limit")
_DIRTY = _lost("pages that are to be written are limited for the machine", "use sysctl vm.dirty_bytes")
_OWNER = _lost("a slice belongs to nobody else; a user has control groups by delegation", "use 'nsunit delegate UID'")
_SECURITY = _lost("a container has few rights unless it says so", "use Capability= and NoNewPrivileges=")
_FRACTION = _lost("a share of a disk's time is a weight", "use [Slice] IODeviceWeight=")

# Messages whose fields have rows of their own.
INNER = frozenset(
    "cpu memory memory.dirty blockio blockio.device_limit_set blockio.max_device_limit_set monitoring filesystem"
    " filesystem.mounts device device.restrictions_set virtual_host virtual_host.network network diskio"
    " diskio.disk_spec".split()
)

HANDLERS: dict[str, Handler] = {
    "owner": _OWNER,
    "owner_group": _OWNER,
    "children_limit": _children,
    "cpu.scheduling_latency": _latency,
    "cpu.limit": _hold,
    "cpu.max_limit": _quota,
    "cpu.mask": _mask,
    "memory.eviction_priority": _eviction,
    "memory.limit": _memory,
    "memory.max_limit": _memory,
    "memory.reservation": _bytes("MemoryLow"),
    "memory.swap_limit": _bytes("MemorySwapMax"),
    "memory.swap_size": _bytes("MemorySwapMax"),
    "memory.hugetlbfs_path": _lost("huge pages are mounted by the host", "use Bind=PATH, and HugeTLBMax="),
    "memory.tmpfs": _tmpfs,
    "memory.compression_sampling_ratio": _lost("the kernel has no such ratio", "use [Slice] MemoryZSwapMax="),
    "memory.stale_page_age": _lost(
        "the kernel does not tell the age of pages", "'nsunit reclaim' takes cold ones back"
    ),
    **dict.fromkeys([f"memory.dirty.{key}" for key in "ratio limit background_ratio background_limit".split()], _DIRTY),
    "memory.kmem_charge_usage": _lost("version 2 counts the kernel's memory always", "leave it out"),
    "blockio.device_limit_set.default_limit": _default_share,
    "blockio.device_limit_set.device_limits": _device_share,
    "blockio.max_device_limit_set.max_limits": _device_most,
    "diskio.priority": _FRACTION,
    "diskio.disk_spec.config": _FRACTION,
    "monitoring.enable_perf_counters": _counters,
    "filesystem.fd_limit": _files,
    "filesystem.rootfs": _root,
    "filesystem.mounts.mount": _mount,
    "device.restrictions_set.restrictions": _restriction,
    "security": _SECURITY,
    "virtual_host.virtual_hostname": _hostname,
    "virtual_host.init": _init,
    "virtual_host.network.interface": _interface,
    "virtual_host.network.virtual_ip": _address,
    "virtual_host.network.connection": _link,
    "virtual_host.network.bridge": _link,
}
