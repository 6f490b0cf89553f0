"""User beancounters of OpenVZ, `barrier:limit`, and its other limits, as keys of [Slice] and [Service]."""

from __future__ import annotations

from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

PAGE = 4096
_KIB = 1024
# vzctl writes LONG_MAX of either width for no limit.
_UNLIMITED = (1 << 31) - 1
_UNITS = {"B": 1, "K": _KIB, "M": _KIB**2, "G": _KIB**3, "T": _KIB**4, "P": PAGE}
_USUAL_UNITS = 1000


def number(text: str) -> int:
    """A whole number.

    Raises:
        NotCarried: it is none.
    """
    if not text.isdecimal() or not text.isascii():
        raise NotCarried(f"'{text}' is no whole number", "write digits")
    return int(text)


def pair(text: str, unit: int) -> tuple[int | None, int | None]:
    """Barrier and limit of `BARRIER[:LIMIT]`, each with one of the letters T, G, M, K, P (pages) and B, or in *unit*.

    A *unit* of 0 counts things, and has no letters.  None is no limit.

    Raises:
        NotCarried: it is no such pair.
    """
    first, _, second = text.partition(":")
    return _amount(first, unit), _amount(second or first, unit)


def _amount(text: str, unit: int) -> int | None:
    if text == "unlimited":
        return None
    letter = text[-1:].upper()
    digits = text[:-1] if letter in _UNITS else text
    whole, dot, part = digits.partition(".")
    if not whole.isdecimal() or (dot and not part.isdecimal()) or (not unit and letter in _UNITS):
        raise NotCarried(f"'{text}' is no limit of OpenVZ's", "write BARRIER:LIMIT, e.g. 256M:512M")
    if letter not in _UNITS:
        return int(whole) * (unit or 1) if int(whole) < _UNLIMITED else None
    return int(float(digits) * _UNITS[letter])


def _said(target: Target, key: str) -> str:
    return target.pending.get(key, ("", None))[0]


def _limit_of(target: Target, key: str) -> int | None:
    """What *key*, a number of pages, limits to; None where it says nothing, or none."""
    text = _said(target, key)
    try:
        return pair(text, PAGE)[1] if text else None
    except NotCarried:
        return None


def _high_and_most(target: Target, barrier: int | None, limit: int | None) -> None:
    if barrier and barrier < (limit if limit is not None else barrier + 1):
        target.say("MemoryHigh", str(barrier), "Slice")
    if limit is not None:
        target.say("MemoryMax", str(limit), "Slice")


def memory(target: Target, value: str) -> None:
    """`PHYSPAGES`."""
    _high_and_most(target, *pair(value, PAGE))


def swap(target: Target, value: str) -> None:
    """`SWAPPAGES`, of which the limit counts."""
    _, limit = pair(value, PAGE)
    if limit is not None:
        target.say("MemorySwapMax", str(limit), "Slice")


def private(target: Target, value: str) -> None:
    """`PRIVVMPAGES`: memory that was asked for, whether it is used or not."""
    barrier, limit = pair(value, PAGE)
    if limit is None and barrier is None:
        return
    if _limit_of(target, "PHYSPAGES") is not None:
        raise NotCarried("it counts memory that was asked for, and not used", "MemoryMax= is that of PHYSPAGES")
    _high_and_most(target, barrier, limit)
    target.remark("it counts memory that was asked for, and MemoryMax= what is used", "lower it, if it is too much")


def slm(target: Target, value: str) -> None:
    """`SLMMEMORYLIMIT`, in bytes."""
    if _limit_of(target, "PHYSPAGES") is not None:
        raise NotCarried("PHYSPAGES limits memory as well", "MemoryMax= is that of PHYSPAGES")
    _high_and_most(target, *pair(value, 1))


def guarantee(target: Target, value: str) -> None:
    """`OOMGUARPAGES`, and `VMGUARPAGES` where that is not there: the barrier is left alone."""
    barrier, _ = pair(value, PAGE)
    if not barrier:
        return
    if target.origin.key == "VMGUARPAGES" and "OOMGUARPAGES" in target.pending:
        raise NotCarried("no memory is promised before it is used", "MemoryLow= is that of OOMGUARPAGES")
    target.say("MemoryLow", str(barrier), "Slice")


def guaranteed_share(target: Target, value: str) -> None:
    """`MEMGUARANTEE`: percent of the limit."""
    most = _limit_of(target, "PHYSPAGES")
    if value == "auto":
        return
    if most is None:
        raise NotCarried("it is a share of a limit that is not there", "use [Slice] MemoryLow=")
    target.say("MemoryLow", str(most * number(value) // 100), "Slice")


def guaranteed_bytes(target: Target, value: str) -> None:
    """`MEMGUARANTEE_BYTES`."""
    if value != "auto":
        target.say("MemoryLow", str(number(value)), "Slice")


def processes(target: Target, value: str) -> None:
    """`NUMPROC`: processes and threads."""
    _, limit = pair(value, 0)
    target.say("TasksMax", "infinity" if limit is None else str(limit), "Slice")


def files(target: Target, value: str) -> None:
    """`NUMFILE`, of all processes together; LimitNOFILE= is of each."""
    _, limit = pair(value, 0)
    if limit is not None:
        target.say("LimitNOFILE", str(limit), "Service")
        target.remark("it counts those of all processes, and LimitNOFILE= those of each", "lower it, if it is too much")


def locked(target: Target, value: str) -> None:
    """`LOCKEDPAGES`, of all processes together; LimitMEMLOCK= is of each."""
    _, limit = pair(value, PAGE)
    if limit is not None:
        target.say("LimitMEMLOCK", str(limit), "Service")
        reason = "it counts that of all processes, and LimitMEMLOCK= that of each"
        target.remark(reason, "lower it, if it is too much")


def shared(target: Target, value: str) -> None:
    """`SHMPAGES`: segments of System V, and what is in /dev/shm."""
    _, limit = pair(value, PAGE)
    if limit is not None:
        target.say("ShmSize", str(limit))
        target.say("Sysctl", f"kernel.shmall={limit // PAGE}")


def signals(target: Target, value: str) -> None:
    """`NUMSIGINFO`."""
    _, limit = pair(value, 0)
    if limit is not None:
        target.say("LimitSIGPENDING", str(limit), "Service")


def subgroups(target: Target, value: str) -> None:
    """`NUMMEMORYSUBGROUPS`: control groups that the container may make."""
    _, limit = pair(value, 0)
    if limit is not None:
        target.say("CGroupsMax", str(limit))


def units(target: Target, value: str) -> None:
    """`CPUUNITS`, 1000 of which are usual."""
    found = number(value)
    if found and found != _USUAL_UNITS:
        target.say("CPUWeight", str(min(max(round(found * 100 / _USUAL_UNITS), 1), 10_000)), "Slice")


def io_priority(target: Target, value: str) -> None:
    """`IOPRIO`, 0 to 7, 4 unless given: as much more or less than the usual weight."""
    found = number(value)
    if found > 7:
        raise NotCarried(f"'{value}' is none of 0 to 7", "use [Slice] IOWeight=")
    if found != 4:
        target.say("IOWeight", str((found + 1) * 20), "Slice")


def _disk(target: Target) -> str:
    """The directory whose disk is meant."""
    found = target.draft.values("Container", "Rootfs") or (_said(target, "VE_PRIVATE"),)
    if not found[0]:
        raise NotCarried("it says nothing of where its root is, whose disk is meant", "use [Slice] IOReadBandwidthMax=")
    return found[0]


def io_limit(target: Target, value: str) -> None:
    """`IOLIMIT`, bytes in a second, of reads and writes together."""
    if limit := _amount(value, 1):
        _both(target, ("IOReadBandwidthMax", "IOWriteBandwidthMax"), limit)


def io_operations(target: Target, value: str) -> None:
    """`IOPSLIMIT`, operations in a second, of reads and writes together."""
    if limit := number(value):
        _both(target, ("IOReadIOPSMax", "IOWriteIOPSMax"), limit)


def _both(target: Target, keys: tuple[str, str], limit: int) -> None:
    disk = _disk(target)
    for key in keys:
        target.say(key, f"{disk} {limit}", "Slice")
    reason = "it counts reads and writes together, of all disks, and here each has it, on the disk of the root"
    target.remark(reason, "name the disk by its node, /dev/sda, where the container is to be enabled")


def rate(target: Target, value: str) -> None:
    """`RATE`: `INTERFACE:CLASS:KBITS …`, what is sent."""
    found = [item.split(":") for item in value.split()]
    numbers = [number(item[2]) for item in found if len(item) == 3]
    if not numbers or len(numbers) < len(found):
        raise NotCarried(f"'{value}' is no rate", "use Egress=")
    target.say("Egress", f"{max(numbers)}K")
    if len(numbers) > 1 or found[0][1] != "1":
        target.remark("classes of traffic are not told apart", "Egress= is for all of it")
