"""list, status, show, logs."""

from __future__ import annotations

import fnmatch
import os
import sys

from nsunit.cli.options import warn
from nsunit.cli.output import (
    Style,
    format_ago,
    format_duration,
    format_size,
    format_time,
    plural,
    print_json,
    print_table,
)
from nsunit.errors import NotFoundError, NsunitError, UsageError
from nsunit.names import check_any_name, is_group, printable, service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.bus.protocol import UnitProcess
    from nsunit.cli.options import Invocation
    from nsunit.manager.query import ContainerState, Status
    from nsunit.manager.tree import Node

EXIT_NOT_RUNNING = 3
_CALM = ("inactive", "failed")


def list_containers(invocation: Invocation) -> int:
    """The verb `list`."""
    from nsunit.manager.query import list_containers

    if invocation.flag("names") and not invocation.flag("json"):
        return _list_names(invocation)
    context, everything = invocation.context(), invocation.flag("all")
    loaded = list_containers(context, everything=everything)
    if not invocation.flag("tree"):
        from nsunit.manager.query import pod_states

        loaded = sorted((*loaded, *pod_states(context, everything=everything)), key=lambda state: state.name)
    states = [
        state
        for state in loaded
        if (everything or state.active_state != "inactive" or _listens(state)) and _is_wanted(invocation, state.name)
    ]
    style = Style(plain=invocation.flag("no-color"))
    if invocation.flag("tree"):
        _print_tree(invocation, states, style)
    elif invocation.flag("json"):
        print_json(states)
    else:
        columns = ("NAME", "STATE", "SUB", "PID", "SINCE", "CPU", "MEMORY", "TASKS")
        print_table(style, columns, [_row(state) for state in states])
        for state in states:
            if state.note:
                warn(f"{state.name}: {state.note}")
        if style.terminal and not invocation.flag("quiet"):
            more = "" if invocation.flag("all") else "; 'nsunit list --all' shows those that do not run as well"
            style.line(f"\n{plural(len(states), 'container')}{more}")
    return 0


def _list_names(invocation: Invocation) -> int:
    from nsunit.manager.listing import container_names, grouped_names

    everything = invocation.flag("all")
    if invocation.flag("tree"):
        above = grouped_names(invocation.context(), everything=everything)
        wanted = {name for name in above if _is_wanted(invocation, name)}
        names = sorted(wanted.union(*(above[name] for name in wanted)))
    else:
        found = container_names(invocation.context(), everything=everything)
        names = [name for name in found if _is_wanted(invocation, name)]
    style = Style(plain=True)
    for name in names:
        style.line(printable(name))
    return 0


def _is_wanted(invocation: Invocation, name: str) -> bool:
    patterns = invocation.operands
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _listens(state: ContainerState) -> bool:
    """Whether it is started by its first connection."""
    return state.sub_state == "listening"


def _row(state: ContainerState) -> tuple[str, ...]:
    return (
        state.name,
        state.active_state,
        state.sub_state,
        str(state.pid) if state.pid else "-",
        format_ago(state.since_usec),
        "-" if state.cpu_usec is None else format_duration(state.cpu_usec / 1_000_000),
        format_size(state.memory),
        "-" if state.tasks is None else str(state.tasks),
    )


def _print_tree(invocation: Invocation, states: Sequence[ContainerState], style: Style) -> None:
    from nsunit.manager.tree import tree

    everything = invocation.flag("all") and not invocation.operands
    root = tree(invocation.context(), states, everything=everything)
    if invocation.flag("json"):
        print_json(root)
    else:
        columns = ("NAME", "STATE", "CPU", "OF", "MEMORY", "OF", "TASKS", "OF")
        print_table(style, columns, list(tree_rows(root)))


def tree_rows(node: Node, lead: str = "", tail: str = "") -> Iterator[tuple[str, ...]]:
    """The lines of `list --tree` for *node* and what is in it, drawn as systemctl list-dependencies does."""
    yield (
        lead + node.name,
        node.active_state,
        "-" if node.cpu_usec is None else format_duration(node.cpu_usec / 1_000_000),
        "-" if node.cpu_quota is None else f"{node.cpu_quota / 10_000:g}%",
        format_size(node.memory),
        format_size(node.memory_limit),
        "-" if node.tasks is None else str(node.tasks),
        "-" if node.tasks_limit is None else str(node.tasks_limit),
    )
    for child in node.children:
        last = child is node.children[-1]
        yield from tree_rows(child, tail + ("└─" if last else "├─"), tail + ("  " if last else "│ "))


def status(invocation: Invocation) -> int:
    """The verb `status`; without a name, that of all containers that run or have failed."""
    from nsunit.cli.lifecycle import names_of
    from nsunit.manager.query import list_containers, status

    context = invocation.context()
    lines = invocation.number("lines", 10)
    names = names_of(invocation, members="defined", pods=True)
    if not invocation.operands:
        states = list_containers(context)
        names = [state.name for state in states if state.active_state != "inactive" or _listens(state)]
    found: list[Status] = []
    failures: list[NotFoundError] = []
    for name in names:
        try:
            found.append(status(context, name))
        except NotFoundError as error:
            failures.append(error)
    if invocation.flag("json"):
        print_json(found)
    else:
        style = Style(plain=invocation.flag("no-color"))
        for index, item in enumerate(found):
            if index:
                style.line()
            for line in status_lines(item, style):
                style.line(line)
            _last_lines(item.state, lines, style, user=context.user)
    sys.stdout.flush()
    if failures:
        from nsunit.cli.main import report

        for failure in failures:
            report(failure)
    calm = invocation.operands and any(item.state.active_state in _CALM and not _listens(item.state) for item in found)
    return EXIT_NOT_RUNNING if failures or calm else 0


def status_lines(status: Status, style: Style, now: float | None = None) -> list[str]:
    """Return what `nsunit status` shows, in the manner of systemctl status."""
    state = status.state
    title = f" - {printable(status.description)}" if status.description and status.description != state.name else ""
    lines = [f"{style.dot(state.active_state)} {style.paint(printable(state.name), 'bold')}{title}"]
    lines += _field("Definition", status.sources[0] if status.sources else "none")
    for source in status.sources[1:]:
        lines += _field("Drop-in", source)
    lines += _field("Enabled", "started at boot" if state.enabled else "")
    lines.append(f"{'Active':>12}: {_activity(status, style, now)}")
    lines += _field("Units", f"{state.unit} in {state.slice}")
    if state.pid:
        lines += _field("Main PID", f"{state.pid} ({status.main_command})" if status.main_command else str(state.pid))
    lines += _field("Root", status.root)
    lines += _field("Ids", status.ids)
    names = f"({', '.join(status.networks)})" if status.networks else ""
    lines += _field("Network", " ".join([*status.addresses, names]).strip())
    lines += _field("Ports", " ".join(status.ports))
    lines += _field("Namespaces", " ".join(f"{kind}:{number}" for kind, number in status.namespaces))
    if state.active_state not in _CALM:
        lines += _usage(status)
    for note in status.notes:
        lines.append(f"{'Note':>12}: {style.paint(printable(note), 'yellow')}")
    return lines + _tree(status.control_group, status.processes)


def _field(label: str, text: str) -> list[str]:
    return [f"{label:>12}: {printable(text)}"] if text else []


def _activity(status: Status, style: Style, now: float | None) -> str:
    state = status.state
    text = style.state(state.active_state) + f" ({printable(state.sub_state)})"
    if status.frozen:
        text += " " + style.paint("(paused)", "yellow")
    if status.result not in ("success", ""):
        code = "" if status.exit_status is None else f", status {status.exit_status}"
        text += f" (Result: {printable(status.result)}{code})"
    if state.since_usec:
        text += f" since {format_time(state.since_usec)}; {format_ago(state.since_usec, now)} ago"
    return text


def _usage(status: Status) -> list[str]:
    state = status.state
    lines = []
    if state.tasks is not None:
        limit = "" if status.tasks_limit is None else f" (limit: {status.tasks_limit})"
        lines.append(f"{'Tasks':>12}: {state.tasks}{limit}")
    if state.memory is not None:
        extra = [f"max: {format_size(status.memory_limit)}"] if status.memory_limit is not None else []
        extra += [f"peak: {format_size(status.memory_peak)}"] if status.memory_peak is not None else []
        lines.append(f"{'Memory':>12}: {format_size(state.memory)}" + (f" ({', '.join(extra)})" if extra else ""))
    if state.cpu_usec is not None:
        quota = "" if status.cpu_quota is None else f" (limit: {status.cpu_quota / 10_000:g}%)"
        lines.append(f"{'CPU':>12}: {format_duration(state.cpu_usec / 1_000_000)}{quota}")
    if status.io_read is not None and status.io_write is not None:
        lines.append(f"{'IO':>12}: {format_size(status.io_read)} read, {format_size(status.io_write)} written")
    return lines


def _tree(control_group: str, processes: Sequence[UnitProcess]) -> list[str]:
    """Draw the cgroup with its processes, as systemctl status does it."""
    if not control_group:
        return []
    lines = _field("CGroup", control_group)
    groups: dict[str, list[UnitProcess]] = {}
    for process in sorted(processes, key=lambda process: (process.cgroup, process.pid)):
        groups.setdefault(process.cgroup.removeprefix(control_group).strip("/"), []).append(process)
    indent = " " * 14
    for number, (group, members) in enumerate(groups.items()):
        last_group = number == len(groups) - 1
        bar = indent
        if group:
            lines.append(f"{indent}{'└─' if last_group else '├─'}{printable(group)}")
            bar = indent + ("  " if last_group else "│ ")
        for process in members:
            last = process is members[-1] and (bool(group) or last_group)
            lines.append(f"{bar}{'└─' if last else '├─'}{process.pid} {printable(process.command)}")
    return lines


def _last_lines(state: ContainerState, count: int, style: Style, *, user: bool) -> None:
    """Let journalctl show the last lines of the container's log; it makes control characters harmless itself."""
    if not count:
        return
    import subprocess

    options = {"lines": str(count), "no-pager": None, "quiet": None}
    argv = journal_command({state.name: state.slice}, options, user=user)
    try:
        shown = subprocess.run(argv, stdout=subprocess.PIPE, check=False).stdout
    except FileNotFoundError:
        return  # a host without journalctl; `nsunit logs` says so
    if shown:
        style.line()
        for line in shown.decode(errors="replace").splitlines():
            style.line(printable(line))


def show(invocation: Invocation) -> int:
    """The verb `show`."""
    from nsunit.manager.query import inspect, inspect_group

    context = invocation.context()
    wanted = invocation.values("property")
    found = []
    for name in invocation.operands:
        everything = (inspect_group if is_group(name) else inspect)(context, check_any_name(name))
        unknown = [key for key in wanted if key not in everything]
        if unknown:
            from nsunit.definition.near import did_you_mean

            hint = did_you_mean(unknown[0], list(everything), "'{}'") or f"there are {', '.join(everything)}"
            raise UsageError(f"'{printable(unknown[0])}' is not something 'show' knows", hint=hint)
        found.append({key: everything[key] for key in wanted} if wanted else everything)
    print_json(found[0] if len(found) == 1 else found)
    return 0


def logs(invocation: Invocation) -> int:
    """The verb `logs`: becomes journalctl."""
    options = {
        long: None if invocation.value(long) is None else invocation.value(long)
        for long in ("follow", "lines", "since", "until", "output", "reverse")
        if invocation.flag(long)
    }
    if invocation.flag("json"):
        options["output"] = "json"
    if invocation.flag("quiet"):
        options["quiet"] = None
    from nsunit.cli.lifecycle import names_of
    from nsunit.manager.running import slice_of

    context = invocation.context()
    names = names_of(invocation, members="defined", pods=True)
    argv = journal_command({name: slice_of(context, name) for name in names}, options, user=invocation.flag("user"))
    sys.stdout.flush()
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise NsunitError("journalctl is not there", hint="it comes with systemd; see 'nsunit doctor'") from None


def journal_command(slices: dict[str, str], options: dict[str, str | None], *, user: bool = False) -> list[str]:
    """Return the journalctl command for containers, by name with their slices; an option without a value is a flag.

    `-u` with the service matches the payload, systemd's own messages about it and its core dumps; with the slice, all
    that runs in it, so `exec` sessions and a foreground `run` as well (journalctl(1)).  With *user* they are units
    of the user's systemd.
    """
    # Not --user: what users said is in the system's journal where that is not kept on disk.
    argv = ["journalctl", "--quiet"] if user else ["journalctl"]
    option = "--user-unit" if user else "--unit"
    for name, slice_ in slices.items():
        argv += [f"{option}={service_name(name)}", f"{option}={slice_}"]
    return argv + [f"--{long}" if value is None else f"--{long}={value}" for long, value in options.items()]
