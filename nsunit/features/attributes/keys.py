"""The keys of [Container] for limits that the kernel has and systemd has no property for.

Rows as in `setting.Row`, without a D-Bus property: each parser returns an `(attribute, subject, value)` for the
container's control group, see `values`.
"""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.features.attributes.values import (
    contradictions,
    count,
    cpu_burst,
    huge_pages,
    miscellaneous,
    rdma,
    swap_high,
    utilization,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser
    from nsunit.features.attributes.values import Attribute
    from nsunit.units import Property


def _limit(parse: Parser, adds: bool, syntax: str, text: str, example: str) -> Row:
    return (parse, adds, "", "", OLDEST, True, syntax, text, example)


CGROUP: dict[str, Row] = {
    "CPUBurstSec": _limit(
        *(cpu_burst, False, "TIME"),
        *("CPU time that [Service] CPUQuota= may be exceeded by at once, saved up from earlier periods.", "20ms"),
    ),
    "CPUUtilizationMin": _limit(
        *(utilization("cpu.uclamp.min"), False, "PERCENT|infinity"),
        *("The scheduler takes its processes to need at least this much of a CPU.", "20%"),
    ),
    "CPUUtilizationMax": _limit(
        *(utilization("cpu.uclamp.max"), False, "PERCENT|infinity"),
        *("The scheduler takes its processes to need at most this much of a CPU.", "50%"),
    ),
    "MemorySwapHigh": _limit(
        *(swap_high, False, "SIZE|infinity", "Swap above which processes are slowed down.", "256M"),
    ),
    "HugeTLBMax": _limit(
        *(huge_pages("max"), True, "PAGESIZE SIZE|infinity"),
        *("Memory in huge pages of one size at most; the page that exceeds it ends the process by SIGBUS.", "2M 64M"),
    ),
    "HugeTLBReservationMax": _limit(
        *(huge_pages("rsvd.max"), True, "PAGESIZE SIZE|infinity"),
        *("Huge pages of one size reserved at most; what exceeds it is refused when it is mapped.", "2M 64M"),
    ),
    "RDMAMax": _limit(
        *(rdma, True, "DEVICE hca_handle=NUMBER|infinity hca_object=NUMBER|infinity"),
        *("Handles and objects of one RDMA device at most.", "mlx4_0 hca_handle=2 hca_object=2000"),
    ),
    "MiscMax": _limit(
        *(miscellaneous, True, "RESOURCE NUMBER|infinity"),
        *("Units of a resource of misc.capacity at most, such as sev.", "sev 4"),
    ),
    "CGroupsMax": _limit(
        *(count("cgroup.max.descendants"), False, "NUMBER|infinity"),
        *("Control groups below the container's own at most.", "100"),
    ),
    "CGroupDepthMax": _limit(
        *(count("cgroup.max.depth"), False, "NUMBER|infinity"),
        *("Levels of control groups below the container's own at most.", "4"),
    ),
}
TABLES = {"Container": CGROUP}


def of(container: Container) -> tuple[Attribute, ...]:
    """The attributes of *container*."""
    found: tuple[Attribute, ...] = container.extra("attributes", ())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note them; of one attribute and subject the last one counts."""
    found = {value[:2]: value[2] for key, value in values if key in CGROUP}
    fields["extras"]["attributes"] = tuple((*place, text) for place, text in found.items())


def check(container: Container, _name: str, service: tuple[Property, ...]) -> list[Contradiction]:
    """What does not go with what systemd is told of the same group."""
    return contradictions(of(container), service)
