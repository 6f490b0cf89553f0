"""The verb `stats`."""

from __future__ import annotations

import sys
import time

from nsunit.cli import fail, warn
from nsunit.cli.output import Style, format_duration, format_size, json_line, print_json, print_table
from nsunit.deeds.look.stats import Sampler, empty
from nsunit.errors import UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.look.stats import Sample
    from nsunit.errors import NsunitError
    from nsunit.formats.cgroupfs import Pressure
    from nsunit.plan.usage import Usage

_MOMENT = 0.25  # s: what a single look takes for the CPU percentages
_SHORTEST, _LONGEST = 0.1, 86400.0
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
_COLUMNS = (
    *("NAME", "CPU%", "CPU", "MEMORY", "PEAK", "SWAP", "TASKS", "READ", "WRITTEN", "RECEIVED", "SENT"),
    *("WAIT CPU", "MEM", "IO", "HIGH", "KILLED"),
)

_SPARE = (  # the first is left out first
    *("HIGH", "KILLED", "PEAK", "SWAP", "IO", "MEM", "WAIT CPU", "CPU", "RECEIVED", "SENT", "READ", "WRITTEN"),
    "TASKS",
)


def stats(invocation: Invocation) -> int:
    """The verb `stats`."""
    sampler = sampler_of(invocation)
    sampler.prime()
    interval = seconds(invocation.value("watch")) if invocation.flag("watch") else 0.0
    time.sleep(min(_MOMENT, interval or _MOMENT))
    if not interval:
        absent: list[NsunitError] = []
        sample = sampler.sample(invocation.operands, absent)
        if sample.usages or not absent:
            _show(sample, invocation)
            sys.stdout.flush()
        return fail(absent)
    return _watch(sampler, interval, invocation)


def print_nothing(invocation: Invocation) -> int:
    """Print the sample in which there is nothing, with --json."""
    if invocation.flag("json"):
        print_json(empty())
    return 0


def sampler_of(invocation: Invocation) -> Sampler:
    """Return what takes the samples."""
    above = invocation.context().cgroup if invocation.flag("user") else ""
    return Sampler(above=above, namespaces=invocation.context().paths.namespaces)


def seconds(text: str | None) -> float:
    """How often to look.

    Raises:
        UsageError: it is no number, or out of range.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not _SHORTEST <= value <= _LONGEST:
        raise UsageError(
            f"'{printable(text or '')}' is not a number of seconds from {_SHORTEST:g} to {_LONGEST:g}",
            hint="for instance --watch=2",
        )
    return value


def _watch(sampler: Sampler, interval: float, invocation: Invocation) -> int:
    told: set[str] = set()
    while True:
        absent: list[NsunitError] = []
        sample = sampler.sample(invocation.operands, absent)
        if absent and not sample.usages:
            return fail(absent)
        if invocation.flag("json"):
            sys.stdout.write(json_line(sample))
        else:
            if sys.stdout.isatty():
                sys.stdout.write(_CLEAR)
            _show(sample, invocation)
            if not sys.stdout.isatty():
                sys.stdout.write("\n")
        for error in absent:
            if error.message not in told:
                warn(error.message)
        told = {error.message for error in absent}
        sys.stdout.flush()
        time.sleep(interval)


def _show(sample: Sample, invocation: Invocation) -> None:
    if invocation.flag("json"):
        print_json(sample)
        return
    style = Style.of(invocation)
    print_table(style, _COLUMNS, [usage_row(item) for item in sample.usages], _SPARE)


def usage_row(item: Usage) -> tuple[str, ...]:
    """One line of the table; what is not known is a dash."""
    cpu, memory, io, network = item.cpu, item.memory, item.io, item.network
    name = item.name.removeprefix("nsunit-").removesuffix(".scope") if item.kind == "session" else item.name
    return (
        "  " * len(item.groups) * (item.kind != "total") + ("  " if item.kind == "session" else "") + name,
        "-" if cpu is None or cpu.percent is None else f"{cpu.percent:.1f}",
        "-" if cpu is None else format_duration(cpu.usage_usec / 1_000_000),
        format_size(memory.current if memory else None),
        format_size(memory.peak if memory else None),
        format_size(item.swap.current if item.swap else None),
        str(item.tasks.current) if item.tasks else "-",
        format_size(io.read_bytes if io else None),
        format_size(io.write_bytes if io else None),
        format_size(network.receive_bytes if network else None),
        format_size(network.transmit_bytes if network else None),
        *(_waiting(part) for part in (item.pressure.cpu, item.pressure.memory, item.pressure.io)),
        str(memory.high_events) if memory else "-",
        str(memory.oom_kills + item.managed_oom_kills) if memory else str(item.managed_oom_kills or "-"),
    )


def _waiting(pressure: Pressure | None) -> str:
    return "-" if pressure is None else f"{pressure.some_avg10:.1f}"
