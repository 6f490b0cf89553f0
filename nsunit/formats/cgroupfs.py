"""The formats of the kernel's cgroup files, admin-guide/cgroup-v2.rst: text in, numbers out."""

from __future__ import annotations

from nsunit.record import Record


class Pressure(Record):
    """One pressure file (PSI): shares of the last 10, 60 and 300 s in percent, and the total in µs.

    `some` is time in which at least one task waited, `full` in which all of them did.
    """

    some_avg10: float
    some_avg60: float
    some_avg300: float
    some_total_usec: int
    full_avg10: float
    full_avg60: float
    full_avg300: float
    full_total_usec: int


class DeviceIO(Record):
    """What went to and from one block device, by its number `major:minor`: bytes and operations."""

    device: str
    read_bytes: int
    write_bytes: int
    read_operations: int
    write_operations: int


class Traffic(Record):
    """What a network namespace's interfaces received and sent, `lo` apart."""

    receive_bytes: int
    receive_packets: int
    transmit_bytes: int
    transmit_packets: int


def number(text: str) -> int | None:
    """The value of a single-value file; None for `max`, which is no limit."""
    text = text.strip()
    return None if text in ("max", "") else int(text)


def flat_keyed(text: str) -> dict[str, int]:
    """A file of `KEY VALUE` lines, such as cpu.stat or memory.events."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def nested_keyed(text: str) -> dict[str, dict[str, str]]:
    """A file of `KEY NAME=VALUE…` lines, such as io.stat or io.max.

    A device that nothing was read from may stand there without values, with the next device on the same line.
    """
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        values: dict[str, str] = {}
        for word in line.split():
            name, equals, value = word.partition("=")
            if equals:
                values[name] = value
            else:
                values = found.setdefault(word, {})
    return found


def io_stat(text: str) -> tuple[DeviceIO, ...]:
    """The content of io.stat, devices without traffic left out."""
    return tuple(
        DeviceIO(
            device,
            int(values.get("rbytes", 0)),
            int(values.get("wbytes", 0)),
            int(values.get("rios", 0)),
            int(values.get("wios", 0)),
        )
        for device, values in nested_keyed(text).items()
        if "rbytes" in values
    )


def pressure(text: str) -> Pressure:
    """The content of a `*.pressure` file.  Before Linux 5.13 cpu.pressure has no line `full`; it counts as zero."""
    lines = {kind: values for kind, values in nested_keyed(text).items() if kind in ("some", "full")}
    numbers: list[float] = []
    for kind in ("some", "full"):
        values = lines.get(kind, {})
        numbers += [float(values.get(f"avg{span}", 0)) for span in (10, 60, 300)]
        numbers.append(int(values.get("total", 0)))
    some10, some60, some300, some_total, full10, full60, full300, full_total = numbers
    return Pressure(some10, some60, some300, int(some_total), full10, full60, full300, int(full_total))


def net_dev(text: str) -> Traffic:
    """The content of /proc/PID/net/dev, proc_pid_net(5), summed over all interfaces but `lo`."""
    sums = [0, 0, 0, 0]
    for line in text.split("\n"):
        # An interface's name holds no colon and no blank, but anything else the container likes, also what Python takes
        # for the end of a line or for a blank.
        name, colon, rest = line.partition(":")
        fields = rest.split()
        if colon and len(fields) >= 16 and name.strip(" ") != "lo":
            for index, field in enumerate((0, 1, 8, 9)):
                sums[index] += int(fields[field])
    return Traffic(*sums)


def cpu_max(text: str) -> tuple[int | None, int]:
    """The content of cpu.max: quota (None without one) and period, in µs."""
    quota, _, period = text.strip().partition(" ")
    return (None if quota == "max" else int(quota)), int(period or 100_000)


def cpu_list(text: str) -> tuple[int, ...]:
    """A list of CPUs or memory nodes as cpuset files have it: `0-2,5`."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))
