"""What does not fit together among systemd's keys: it would end a start by a bare exit status, or have no effect.

Loaded where a definition has one of the properties in `setting.CHECKED`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nsunit.definition.container import Contradiction

REAL_TIME = (1, 2)  # fifo, rr
_ANY_NODES = (0, 1, 4)  # default, preferred, local: these need no mask
_PREFERRED = 1
_OWN_INTERFACES = "it has a network of its own, and systemd takes '{}' for an interface of the host's"
_BY_ADDRESS = "leave it out, or use IPAddressAllow= and IPAddressDeny="
_NULL = "systemd itself opens /dev/null for the program, and strict forbids it"


def contradictions(
    network: str, service: Mapping[str, object], slice_: Mapping[str, object]
) -> Iterator[Contradiction]:
    """What does not fit together in the properties of [Service] and [Slice] of a container with *network*."""
    yield from _scheduler(service)
    yield from _numa(service)
    for section, said in (("Service", service), ("Slice", slice_)):
        yield from _devices(section, said)
        yield from _partition(section, said)
        if network != "host":
            yield from _interfaces(section, said)


def _scheduler(said: Mapping[str, object]) -> Iterator[Contradiction]:
    if said.get("CPUSchedulingPriority") and said.get("CPUSchedulingPolicy") not in REAL_TIME:
        message = "only the schedulers fifo and rr have priorities"
        yield "Service.CPUSchedulingPriority", message, "add CPUSchedulingPolicy=rr, or use Nice="


def _numa(said: Mapping[str, object]) -> Iterator[Contradiction]:
    policy, mask = said.get("NUMAPolicy"), said.get("NUMAMask")
    if policy is not None and policy not in _ANY_NODES and not mask:
        yield "Service.NUMAPolicy", "it needs the nodes that it is about", "add NUMAMask=, e.g. NUMAMask=0"
    if mask and policy is None and not said.get("CPUAffinityFromNUMA"):
        yield "Service.NUMAMask", "without NUMAPolicy= it has no effect", "add NUMAPolicy=bind or another"
    if policy == _PREFERRED and isinstance(mask, bytes) and int.from_bytes(mask, "little").bit_count() > 1:
        yield "Service.NUMAMask", "NUMAPolicy=preferred takes one node", "name one, or use another policy"
    if said.get("CPUAffinityFromNUMA") and not mask:
        yield "Service.CPUAffinity", "numa needs the nodes whose CPUs are meant", "add NUMAPolicy=bind and NUMAMask=0"


def _devices(section: str, said: Mapping[str, object]) -> Iterator[Contradiction]:
    allowed = said.get("DeviceAllow")
    names = {name for name, _ in allowed} if isinstance(allowed, tuple) else set()
    if said.get("DevicePolicy") == "strict" and not names & {"/dev/null", "char-mem", "char-*"}:
        yield f"{section}.DevicePolicy", _NULL, f"add [{section}] DeviceAllow=/dev/null rw, or use closed"


def _interfaces(section: str, said: Mapping[str, object]) -> Iterator[Contradiction]:
    restricted = said.get("RestrictNetworkInterfaces")
    _, names = restricted if isinstance(restricted, tuple) else (False, ())
    bound = said.get("BindNetworkInterface")
    for key, used in (("RestrictNetworkInterfaces", names), ("BindNetworkInterface", (bound,) if bound else ())):
        for name in used:
            if name != "lo":  # which has the same number everywhere
                yield f"{section}.{key}", _OWN_INTERFACES.format(name), _BY_ADDRESS
                break


def _partition(section: str, said: Mapping[str, object]) -> Iterator[Contradiction]:
    if said.get("CPUSetPartition", "member") != "member" and not said.get("AllowedCPUs"):
        yield f"{section}.CPUSetPartition", "it needs the CPUs that it is about", "add AllowedCPUs="
