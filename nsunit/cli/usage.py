"""stats, ps and top: what containers use."""

from __future__ import annotations

import os
import sys
import time

from nsunit.cli.output import Style, format_duration, format_size, jsonable, print_json, print_table
from nsunit.errors import NsunitError, UsageError
from nsunit.names import ROOT_SLICE, check_any_name, check_name, group_slice, is_group, limited, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.options import Invocation
    from nsunit.manager.processes import Process
    from nsunit.manager.stats import Sample, Sampler
    from nsunit.plan.cgroupfs import Pressure
    from nsunit.plan.usage import Usage

_MOMENT = 0.25  # s: what a single look takes for the CPU percentages
_SHORTEST, _LONGEST = 0.1, 86400.0
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
_COLUMNS = (
    *("NAME", "CPU%", "CPU", "MEMORY", "PEAK", "SWAP", "TASKS", "READ", "WRITTEN", "RECEIVED", "SENT"),
    *("WAIT CPU", "MEM", "IO", "HIGH", "KILLED"),
)


def stats(invocation: Invocation) -> int:
    """The verb `stats`."""
    from nsunit.manager.stats import Sampler

    if invocation.flag("json") and invocation.flag("prometheus"):
        raise UsageError("--json and --prometheus exclude each other", hint="give one of them")
    if invocation.flag("watch") and invocation.flag("prometheus"):
        raise UsageError("--watch and --prometheus exclude each other", hint="Prometheus asks again and again itself")
    sampler = Sampler(above=invocation.context().cgroup if invocation.flag("user") else "")
    if invocation.flag("prometheus"):
        from nsunit.cli.prometheus import exposition

        sys.stdout.write(exposition(sampler.sample(invocation.operands).usages))
        return 0
    sampler.prime()
    interval = seconds(invocation.value("watch")) if invocation.flag("watch") else 0.0
    time.sleep(min(_MOMENT, interval or _MOMENT))
    if not interval:
        _show(sampler.sample(invocation.operands), invocation)
        return 0
    return _watch(sampler, interval, invocation)


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
    import json

    while True:
        sample = sampler.sample(invocation.operands)
        if invocation.flag("json"):
            sys.stdout.write(json.dumps(jsonable(sample)) + "\n")
        else:
            if sys.stdout.isatty():
                sys.stdout.write(_CLEAR)
            _show(sample, invocation)
            if not sys.stdout.isatty():
                sys.stdout.write("\n")
        sys.stdout.flush()
        time.sleep(interval)


def _show(sample: Sample, invocation: Invocation) -> None:
    if invocation.flag("json"):
        print_json(sample)
        return
    style = Style(plain=invocation.flag("no-color"))
    print_table(style, _COLUMNS, [usage_row(item) for item in sample.usages])


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
        str(memory.oom_kills) if memory else "-",
    )


def _waiting(pressure: Pressure | None) -> str:
    return "-" if pressure is None else f"{pressure.some_avg10:.1f}"


def processes(invocation: Invocation) -> int:
    """The verb `ps`."""
    from nsunit.manager.processes import list_processes

    found = list_processes(invocation.context(), check_name(invocation.operands[0]))
    if invocation.flag("json"):
        print_json(found)
    else:
        columns = ("PID", "INSIDE", "USER", "UID INSIDE", "UNIT", "STATE", "CPU%", "CPU", "MEMORY", "COMMAND")
        print_table(Style(plain=invocation.flag("no-color")), columns, [process_row(item) for item in found])
    return 0


def process_row(process: Process) -> tuple[str, ...]:
    """One line of the table of processes."""
    return (
        str(process.pid),
        "-" if process.inside_pid is None else str(process.inside_pid),
        str(process.uid),
        "-" if process.inside_uid is None else str(process.inside_uid),
        process.unit,
        process.state,
        f"{process.cpu_percent:.1f}",
        format_duration(process.cpu_usec / 1_000_000),
        format_size(process.memory),
        process.command,
    )


def top(invocation: Invocation) -> int:
    """The verb `top`: becomes systemd-cgtop."""
    # All arguments are systemd-cgtop's, so a --user for us stands before the verb.
    above = invocation.context().cgroup if invocation.flag("user") else ""
    sys.stdout.flush()
    arguments, group = invocation.operands, f"/{ROOT_SLICE}"
    if arguments and is_group(limited(arguments[-1])) and arguments[-1][0] not in "-/":
        from nsunit.names import slice_path

        arguments, group = arguments[:-1], slice_path(group_slice(limited(check_any_name(arguments[-1]))))
    argv = ["systemd-cgtop", *arguments, above + group]
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise NsunitError("systemd-cgtop is not there", hint="it comes with systemd; see 'nsunit doctor'") from None
