"""Parsers for attributes of the container's control group: text → `(attribute, subject, value)`.

The subject is the device or resource that a line of the attribute is about, empty where it has a single value.
Values are spelled as the kernel has them; formats are those of admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from nsunit.definition.values import PERCENT_HINT, bounded_percent, is_digits, size, usec
from nsunit.definition.words import wrong
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.units import Property

    Attribute = tuple[str, str, str]

# Besides the group that the program is in, and systemd's for ExecReload= and the like.
_OWN_GROUPS = 2

# How systemd computes cpu.max, see cgroup_cpu_adjust_period() and cgroup_apply_unified_cpu_quota() in cgroup.c.
_SECOND = 1_000_000
_QUOTA_MIN = 1_000
_PERIOD = 100_000


def cpu_burst(text: str) -> Attribute:
    """A time span → µs."""
    found = usec(text)
    if found == INFINITY:
        raise wrong(text, "is too long a burst", "it is at most the quota of one period")
    return "cpu.max.burst", "", str(found)


def utilization(attribute: str) -> Callable[[str], Attribute]:
    """Return the parser of a percentage of the fastest CPU, with two places, or `infinity`."""

    def parse(text: str) -> Attribute:
        if text == "infinity":
            return attribute, "", "max"
        permyriad = bounded_percent(text)
        if permyriad is None:
            raise wrong(text, "is not a percentage", PERCENT_HINT)
        return attribute, "", f"{permyriad // 100}.{permyriad % 100:02}"

    return parse


def swap_high(text: str) -> Attribute:
    """A size or `infinity`."""
    return "memory.swap.high", "", _size(text)


def huge_pages(kind: str) -> Callable[[str], Attribute]:
    """Return the parser of `PAGESIZE SIZE`; *kind* is "max" or "rsvd.max"."""

    def parse(text: str) -> Attribute:
        words = text.split()
        if len(words) != 2:
            raise wrong(text, "is not a page size and a size", "e.g. 2M 64M")
        page = size(words[0])
        if page < 1024 or page & (page - 1):
            raise wrong(words[0], "is not a size of pages", "see /sys/kernel/mm/hugepages for those of this machine")
        return f"hugetlb.{_page_name(page)}.{kind}", "", _size(words[1])

    return parse


def _page_name(page: int) -> str:
    # mem_fmt() in mm/hugetlb_cgroup.c
    for shift, unit in ((30, "GB"), (20, "MB")):
        if page >= 1 << shift:
            return f"{page >> shift}{unit}"
    return f"{page >> 10}KB"


def rdma(text: str) -> Attribute:
    """`DEVICE hca_handle=NUMBER hca_object=NUMBER`, one of the two at least."""
    hint = "e.g. mlx4_0 hca_handle=2 hca_object=2000"
    device, *limits = text.split()
    names = [limit.partition("=")[0] for limit in limits]
    if not limits or len(set(names)) != len(names) or not set(names) <= {"hca_handle", "hca_object"}:
        raise wrong(text, "is not an RDMA device with its limits", hint)
    _check_name(device, "an RDMA device", hint)
    given = dict(zip(names, (_number(limit.partition("=")[2], hint) for limit in limits), strict=True))
    # What is left out has no limit, so that the line says all that holds.
    return "rdma.max", device, " ".join(f"{name}={given.get(name, 'max')}" for name in ("hca_handle", "hca_object"))


def miscellaneous(text: str) -> Attribute:
    """`RESOURCE NUMBER`."""
    words = text.split()
    if len(words) != 2:
        raise wrong(text, "is not a resource and a number", "e.g. sev 4")
    _check_name(words[0], "a resource", "see /sys/fs/cgroup/misc.capacity for those of this machine")
    return "misc.max", words[0], _number(words[1], "e.g. sev 4")


def count(attribute: str) -> Callable[[str], Attribute]:
    """Return the parser of a number of groups or levels below the container's own group."""
    own = _OWN_GROUPS if attribute == "cgroup.max.descendants" else 1

    def parse(text: str) -> Attribute:
        found = _number(text, "use a number or infinity")
        return attribute, "", found if found == "max" else str(int(found) + own)

    return parse


def _size(text: str) -> str:
    return "max" if text == "infinity" else str(size(text))


def _number(text: str, hint: str) -> str:
    if text == "infinity":
        return "max"
    if not is_digits(text) or int(text) >= 1 << 31:
        raise wrong(text, "is not a number", hint)
    return str(int(text))


def _check_name(text: str, kind: str, hint: str) -> None:
    if not text.isascii() or not text.replace("_", "").replace("-", "").isalnum():
        raise wrong(text, f"is not the name of {kind}", hint)


def contradictions(attributes: Sequence[Attribute], service: Sequence[Property]) -> list[tuple[str, str, str]]:
    """What does not fit together, as (key to blame, message, hint); *service* has the properties of [Service]."""
    values = {item.name: item.value for item in service}
    found = []
    for attribute, _, value in attributes:
        key = key_of(attribute)
        missing = _not_delegated(attribute.split(".")[0], values)
        if missing:
            found.append((key, *missing))
        elif attribute == "cpu.max.burst":
            quota = _quota(values)
            if quota is None:
                hint = "set [Service] CPUQuota=; the slice, with its CPUQuota=, belongs to systemd"
                found.append((key, "[Service] has no CPUQuota= that could be exceeded", hint))
            elif int(value) > quota:
                message = f"'{value}us' is more than the quota of one period, which is {quota}us"
                found.append((key, message, "raise [Service] CPUQuota= or CPUQuotaPeriodSec="))
    return found


def key_of(attribute: str) -> str:
    """The key that sets *attribute*."""
    if attribute.startswith("hugetlb."):
        return "HugeTLBReservationMax" if ".rsvd." in attribute else "HugeTLBMax"
    return _KEYS[attribute]


_KEYS = {
    "cpu.max.burst": "CPUBurstSec",
    "cpu.uclamp.min": "CPUUtilizationMin",
    "cpu.uclamp.max": "CPUUtilizationMax",
    "memory.swap.high": "MemorySwapHigh",
    "rdma.max": "RDMAMax",
    "misc.max": "MiscMax",
    "cgroup.max.descendants": "CGroupsMax",
    "cgroup.max.depth": "CGroupDepthMax",
}


def _not_delegated(controller: str, values: dict[str, object]) -> tuple[str, str] | None:
    if values.get("Delegate") is False:
        return "nsunit may not write to a control group that is not delegated", "leave out [Service] Delegate=no"
    names = values.get("DelegateControllers")
    if controller in ("cpu", "memory") and isinstance(names, tuple) and controller not in names:
        return f"the controller '{controller}' is not delegated", f"add {controller} to [Service] Delegate="
    return None


def _quota(values: dict[str, object]) -> int | None:
    """The quota of one period in µs, as systemd writes it to cpu.max; None without one."""
    quota, period = values.get("CPUQuotaPerSecUSec"), values.get("CPUQuotaPeriodUSec", _PERIOD)
    if not isinstance(quota, int) or quota == INFINITY or not isinstance(period, int):
        return None
    period = min(max(-(-_QUOTA_MIN * _SECOND // quota), _PERIOD if period == INFINITY else period), _SECOND)
    return max(quota * period // _SECOND, _QUOTA_MIN)
