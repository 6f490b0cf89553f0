"""Parsers for systemd.resource-control(5): text → D-Bus values, as bus_append_cgroup_property() computes them."""

from __future__ import annotations

from nsunit.definition.values import (
    PERCENT_HINT,
    SIZE_HINT,
    UINT32_MAX,
    Properties,
    boolean,
    bounded_percent,
    is_digits,
    percent,
    plain_path,
    scale,
    size,
    string,
    usec,
    word_list,
)
from nsunit.definition.words import ValueProblem, fields, wrong
from nsunit.units import INFINITY, Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

AF_INET = 2
AF_INET6 = 10

CONTROLLERS = (
    "cpu cpuacct cpuset io blkio memory devices pids"
    " bpf-firewall bpf-devices bpf-foreign bpf-socket-bind bpf-restrict-network-interfaces"
).split()
BPF_ATTACH_TYPES = (
    "ingress egress sock_create sock_ops device bind4 bind6 connect4 connect6 post_bind4 post_bind6 sendmsg4 sendmsg6"
    " sysctl recvmsg4 recvmsg6 getsockopt setsockopt"
).split()

_CPU_MAX = 8192  # CPU_SET_MAX_NCPU
_NFT_SOURCES = {"cgroup": 3, "user": 4, "group": 5}
_NFT_FAMILIES = {"arp": 3, "bridge": 7, "inet": 1, "ip": 2, "ip6": 10, "netdev": 5}
_ADDRESS_WORDS = {
    "any": ((AF_INET, bytes(4), 0), (AF_INET6, bytes(16), 0)),
    "localhost": ((AF_INET, b"\x7f\0\0\0", 8), (AF_INET6, bytes(15) + b"\x01", 128)),
    "link-local": ((AF_INET, b"\xa9\xfe\0\0", 16), (AF_INET6, b"\xfe\x80" + bytes(14), 64)),
    "multicast": ((AF_INET, b"\xe0\0\0\0", 4), (AF_INET6, b"\xff" + bytes(15), 8)),
}
_ADDRESS_HINT = "use prefixes such as 10.0.0.0/8 or fd00::/8, or any, localhost, link-local, multicast"
_PORT_HINT = "use [ipv4|ipv6:][tcp|udp:]PORT[-PORT], or any"
_DEVICE_HINT = "e.g. /dev/sda 10M"


def memory(key: str, *, zero: bool = False, share: bool = True) -> Callable[[str], object]:
    """Return the parser of a memory limit: bytes, `infinity`, or a percentage of the machine's memory.

    *zero*: 0 makes sense.  *share*: the transient setter takes a percentage (as `KEYScale`).
    """

    def parse(text: str) -> object:
        if text == "infinity":
            return INFINITY
        permyriad = bounded_percent(text)
        if permyriad is not None and not share:
            raise wrong(text, "is a percentage, which systemd takes for this key in unit files only", SIZE_HINT)
        value = size(text) if permyriad is None else permyriad
        if value == 0 and not zero:
            raise wrong(text, "is too little", "use infinity for no limit")
        return value if permyriad is None else Properties((Property(f"{key}Scale", "u", scale(permyriad)),))

    return parse


def tasks_max(text: str) -> object:
    """`TasksMax=`: a number, `infinity`, or a percentage of the machine's limit (below 100%)."""
    if text == "infinity":
        return INFINITY
    permyriad = bounded_percent(text)
    if permyriad is None:
        if not is_digits(text) or not 0 < int(text) < INFINITY:
            raise wrong(text, "is not a number of tasks", "use a number above 0, a percentage or infinity")
        return int(text)
    if permyriad in (0, 10_000):
        raise wrong(text, "is out of range", "use less than 100%, or infinity")
    return Properties((Property("TasksMaxScale", "u", scale(permyriad)),))


def cpu_quota(text: str) -> int:
    """`CPUQuota=`: percent of one CPU → microseconds of CPU time for each second."""
    permyriad = percent(text)
    if permyriad is None:
        raise wrong(text, "is not a percentage", PERCENT_HINT)
    if permyriad == 0:
        raise wrong(text, "is too little", "a quota is at least 0.01%")
    return permyriad * 100


def cpu_weight(text: str) -> int:
    """1 to 10000, or `idle` (0)."""
    return 0 if text == "idle" else weight(text)


def weight(text: str) -> int:
    """1 to 10000."""
    if not is_digits(text) or not 1 <= int(text) <= 10_000:
        raise wrong(text, "is not a weight", "use 1 to 10000; 100 is the usual share")
    return int(text)


def cpu_set(text: str) -> bytes:
    """A list of numbers and ranges, `0-3,8` → a bit mask in bytes, lowest CPU first, in words of 64 bits."""
    mask = 0
    for item in text.replace(",", " ").split():
        low, dash, high = item.partition("-")
        if not is_digits(low) or (dash and not is_digits(high)) or int(high or low) < int(low):
            raise wrong(item, "is not a number or range", "e.g. 0-3,8")
        if int(high or low) >= _CPU_MAX:
            raise wrong(item, "is too high a number", f"the highest is {_CPU_MAX - 1}")
        mask |= (1 << int(high or low) + 1) - (1 << int(low))
    return mask.to_bytes((mask.bit_length() + 63) // 64 * 8, "little")


def pressure_limit(text: str) -> int:
    """A percentage up to 100 as a share of 2^32-1."""
    permyriad = bounded_percent(text)
    if permyriad is None:
        raise wrong(text, "is not a percentage", PERCENT_HINT)
    return scale(permyriad)


def pressure_duration(text: str) -> int:
    """A time of at least one second, not infinity."""
    found = usec(text)
    if not 1_000_000 <= found < INFINITY:
        raise wrong(text, "is out of range", "use at least 1s")
    return found


def pressure_watch(text: str) -> str:
    """`auto`, `skip`, or yes/no."""
    if text in ("auto", "skip"):
        return text
    try:
        return "yes" if boolean(text) else "no"
    except ValueProblem:
        raise wrong(text, "is not one of its values", "use auto, yes, no, skip") from None


def _device_and(text: str, hint: str) -> tuple[str, str]:
    words = text.split(None, 1)
    if len(words) != 2:
        raise wrong(text, "is not a path and a value", hint)
    return plain_path(words[0]), words[1]


def io_limit(text: str) -> tuple[tuple[str, int], ...]:
    """`PATH SIZE`, powers of 1000, or `PATH infinity`."""
    path, limit = _device_and(text, _DEVICE_HINT)
    value = INFINITY if limit == "infinity" else size(limit, 1000)
    if not value:
        raise wrong(text, "is too little", _DEVICE_HINT)
    return ((path, value),)


def io_weight(text: str) -> tuple[tuple[str, int], ...]:
    """`PATH WEIGHT`."""
    path, value = _device_and(text, "e.g. /dev/sda 200")
    return ((path, weight(value)),)


def io_latency(text: str) -> tuple[tuple[str, int], ...]:
    """`PATH TIME`."""
    path, value = _device_and(text, "e.g. /dev/sda 25ms")
    return ((path, usec(value)),)


def device_allow(text: str) -> tuple[tuple[str, str], ...]:
    """`PATH|char-NAME|block-NAME [rwm]`."""
    words = text.split()
    rights = words[1] if len(words) == 2 else ""
    if len(words) > 2 or not set(rights) <= set("rwm") or len(set(rights)) != len(rights):
        raise wrong(text, "is not a device and rights", "e.g. /dev/fuse rw, or char-pts rw")
    device = string(words[0])
    if not device.startswith(("block-", "char-")):
        device = plain_path(device)
        if not device.startswith(("/dev/", "/run/systemd/inaccessible/")):
            raise wrong(device, "is not a device node", "use a path below /dev, or char-NAME or block-NAME")
    elif any(char in "\"'\\" for char in device):
        raise wrong(device, "has quotes or backslashes", "use char-NAME or block-NAME as in /proc/devices")
    return ((device, rights),)


def addresses(text: str) -> tuple[tuple[int, bytes, int], ...]:
    """IP prefixes, `any`, `localhost`, `link-local`, `multicast` → (family, address, prefix length)."""
    found: tuple[tuple[int, bytes, int], ...] = ()
    for word in text.split():
        found += _ADDRESS_WORDS.get(word) or (_prefix(word),)
    return found


def _prefix(word: str) -> tuple[int, bytes, int]:
    from _socket import inet_pton  # the C half alone: `import socket` costs more than the rest of this package

    address, slash, length = word.partition("/")
    family = AF_INET6 if ":" in address else AF_INET
    bits = 128 if family == AF_INET6 else 32
    try:
        packed = inet_pton(family, address)
    except (OSError, ValueError):
        raise wrong(word, "is not an IP address or prefix", _ADDRESS_HINT) from None
    if slash and (not is_digits(length) or int(length) > bits):
        raise wrong(word, f"has no prefix length from 0 to {bits}", _ADDRESS_HINT)
    return family, packed, int(length) if slash else bits


def socket_bind(text: str) -> tuple[tuple[int, int, int, int], ...]:
    """`[ipv4|ipv6:][tcp|udp:]PORTS`, or `any` → (family, protocol, number of ports, first port)."""
    tokens = text.split(":")
    family = protocol = 0
    if tokens[0] in ("ipv4", "ipv6"):
        family = AF_INET if tokens.pop(0) == "ipv4" else AF_INET6
    if tokens and tokens[0] in ("tcp", "udp"):
        protocol = 6 if tokens.pop(0) == "tcp" else 17
    if not tokens or tokens == ["any"]:
        return ((family, protocol, 0, 0),)
    low, dash, high = tokens[0].partition("-")
    if len(tokens) > 1 or not is_digits(low) or (dash and not is_digits(high)):
        raise wrong(text, "is not a bind rule", _PORT_HINT)
    if not 1 <= int(low) <= int(high or low) <= 65535:
        raise wrong(text, "has a port out of range", "ports are 1 to 65535, lower first")
    return ((family, protocol, int(high or low) - int(low) + 1, int(low)),)


def interfaces(text: str) -> tuple[bool, tuple[str, ...]]:
    """`[~]NAME…` → (whether these are the allowed ones, names)."""
    names = word_list(text.removeprefix("~"))
    for name in names:
        odd = any(not "!" <= char <= "~" or char in ":/%\"'\\" for char in name)
        if odd or len(name) > 127 or name in (".", "..", "all", "default") or is_digits(name):
            raise wrong(name, "is not the name of a network interface")
    return not text.startswith("~"), names


def concurrency(text: str) -> int:
    """A number of units, or `infinity`."""
    if text == "infinity":
        return UINT32_MAX
    if not is_digits(text) or not 0 < int(text) < UINT32_MAX:
        raise wrong(text, "is not a number of units", "use a number above 0, or infinity")
    return int(text)


def interface(text: str) -> str:
    """One interface's name."""
    allowed, names = interfaces(text)
    if not allowed or len(names) != 1:
        raise wrong(text, "is not the name of a network interface")
    return names[0]


def rule_names(text: str) -> tuple[str, ...]:
    """Names of files without their ending."""
    names = word_list(text)
    for name in names:
        if "/" in name or name.startswith(".") or len(name) > 200:
            raise wrong(name, "is not the name of a rule", "write it without its directory and .oomrule")
    return names


def nft_set(text: str) -> tuple[tuple[int, int, str, str], ...]:
    """`SOURCE:FAMILY:TABLE:SET…`."""
    found = []
    for word in word_list(text):
        parts = fields(word)
        if len(parts) != 4 or parts[0] not in _NFT_SOURCES or parts[1] not in _NFT_FAMILIES:
            raise wrong(word, "is not an NFT set", "use cgroup:FAMILY:TABLE:SET, e.g. cgroup:inet:filter:web")
        for name in parts[2:]:
            if not name[:1].isalpha() or not (name.isascii() and len(name) <= 31):
                raise wrong(name, "is not an NFT name", "start it with a letter, use at most 31")
            if not all(char.isalnum() or char in "/_." for char in name):
                raise wrong(name, "is not an NFT name", "use letters, digits, '/', '_' and '.'")
        found.append((_NFT_SOURCES[parts[0]], _NFT_FAMILIES[parts[1]], parts[2], parts[3]))
    return tuple(found)


def bpf_program(text: str) -> tuple[tuple[str, str], ...]:
    """`TYPE:PATH` of a program pinned to a BPF file system."""
    kind, colon, path = text.partition(":")
    if not colon or kind not in BPF_ATTACH_TYPES:
        raise wrong(text, "is not TYPE:PATH", f"the types are {' '.join(BPF_ATTACH_TYPES)}")
    return ((kind, plain_path(path)),)


def filter_path(text: str) -> tuple[str, ...]:
    """One path of a pinned BPF program."""
    return (plain_path(text),)


def delegate(text: str) -> object:
    """`yes`, `no`, or the controllers to hand over."""
    try:
        return boolean(text)
    except ValueProblem:
        names = word_list(text)
    for name in names:
        if name not in CONTROLLERS:
            raise wrong(name, "is neither yes, no nor a controller", f"the controllers are {' '.join(CONTROLLERS)}")
    return Properties((Property("DelegateControllers", "as", names),))


def controllers(text: str) -> tuple[str, ...]:
    """Names of cgroup controllers."""
    names = word_list(text)
    for name in names:
        if name not in CONTROLLERS:
            raise wrong(name, "is not a controller", f"the controllers are {' '.join(CONTROLLERS)}")
    return names
