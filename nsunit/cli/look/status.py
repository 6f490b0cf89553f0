"""The verb `status`."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys

from nsunit.cli import report, warn
from nsunit.cli.look.logs import journal_command
from nsunit.cli.output import Style, format_ago, format_duration, format_size, format_time, plural, print_json
from nsunit.deeds.look.many import statuses
from nsunit.deeds.look.states import present
from nsunit.errors import NsunitError
from nsunit.features import hooks
from nsunit.names import printable
from nsunit.storage.health import HEALTHY, UNHEALTHY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.look.query import Status
    from nsunit.deeds.look.root import Ids, Root
    from nsunit.deeds.look.states import ContainerState
    from nsunit.formats.procfs import IdRange
    from nsunit.storage.processes import UnitProcess

EXIT_NOT_RUNNING = 3
_ALL_IDS = 0xFFFFFFFF  # as many as the map of the host has
_CALM = ("inactive", "failed")
# Of more containers that nobody has named, nobody reads the logs, and to find their lines takes longer than all else.
_WITH_LINES = 25


def status(invocation: Invocation) -> int:
    """The verb `status`; without a name, that of all containers that run or have failed."""
    context = invocation.context()
    lines = invocation.number("lines", 10)
    full = invocation.flag("full")
    names = invocation.names("defined", pods=True, groups=True) if invocation.operands else present(context)
    if not invocation.operands and len(names) > _WITH_LINES and invocation.value("lines") is None:
        lines = 0
    failures: list[NsunitError] = []
    found = statuses(context, names, failures)
    if invocation.flag("json"):
        shown = list(found)
        print_json(shown)
        calm = [_is_calm(item) for item in shown]
    else:
        style = Style(plain=invocation.flag("no-color"))
        boot = next((when(context) for when in hooks(context.features, "deeds.when_enabled")), "at boot")
        calm = [_is_calm(item) for item in _print(found, lines, style, user=context.user, full=full, boot=boot)]
        if style.terminal and not names and not invocation.flag("quiet"):
            style.line("0 containers run; 'nsunit list --all' shows those that do not")
    sys.stdout.flush()
    if not lines and len(names) > _WITH_LINES and invocation.value("lines") is None and not invocation.flag("json"):
        warn(f"of {len(names)} containers the last lines of their logs are shown with --lines=N only")
    failed = max(map(report, failures), default=0)
    return failed or (EXIT_NOT_RUNNING if invocation.operands and any(calm) else 0)


def _print(found: Iterable[Status], lines: int, style: Style, *, user: bool, full: bool, boot: str) -> Iterator[Status]:
    """Print what was *found*, and give each of it; while journalctl looks for one's lines, the next one is found."""
    former: tuple[Status, subprocess.Popen[bytes] | None] | None = None
    for item in itertools.chain(found, (None,)):
        begun = (item, _begin_last_lines(item, lines, user=user) if lines else None) if item else None
        if former:
            for line in status_lines(former[0], style, full=full, boot=boot):
                style.line(line)
            if former[1]:
                _last_lines(former[1], style, full=full)
            yield former[0]
            if begun:
                style.line()
        former = begun


def _is_calm(status: Status) -> bool:
    return status.state.active_state in _CALM and not _listens(status.state)


def status_lines(
    status: Status, style: Style, now: float | None = None, *, full: bool = False, boot: str = "at boot"
) -> list[str]:
    """Return what `nsunit status` shows, as systemctl status does; lines of processes are cut unless *full*.

    *boot* is when what is enabled is started.
    """
    state = status.state
    title = f" - {printable(status.description)}" if status.description and status.description != state.name else ""
    lines = [f"{style.dot(state.active_state)} {style.paint(printable(state.name), 'bold')}{title}"]
    lines += _field("Definition", status.sources[0] if status.sources else "none")
    for source in status.sources[1:]:
        lines += _field("Drop-in", source)
    lines += _field("Enabled", ("started at its times" if status.timer else f"started {boot}") if state.enabled else "")
    lines.append(f"{'Active':>12}: {_activity(status, style, now)}")
    lines += _field("Timer", _times(status))
    lines += _health(status, style, now)
    lines += _field("Units", f"{state.unit} in {state.slice}" if state.unit != state.slice else state.unit)
    if state.pid:
        lines += _field("Main PID", f"{state.pid} ({status.main_command})" if status.main_command else str(state.pid))
    lines += _field("Image", f"{status.image} ({status.image_id[:12]})" if status.image else "")
    lines += _field("Root", describe_root(status.root) if status.root else "")
    lines += _field("Ids", describe_ids(status.ids) if status.ids else "")
    names = f"({', '.join(status.networks)})" if status.networks else ""
    lines += _field("Network", " ".join([*status.addresses, names]).strip())
    lines += _field("Ports", " ".join(f"{port}→{port.container}" for port in status.ports))
    lines += _words("Namespaces", [f"{kind}:{number}" for kind, number in status.namespaces.items()], style)
    if state.active_state not in _CALM:
        lines += _usage(status)
    for note in status.notes:
        lines.append(f"{'Note':>12}: {style.paint(printable(note), 'yellow')}")
    return lines + [line if full else style.cut(line) for line in _tree(status.control_group, status.processes)]


def _times(status: Status) -> str:
    next_, last = status.next_elapse_usec, status.last_trigger_usec
    parts = [f"next {format_time(next_)}"] if next_ else []
    parts += [f"last {format_time(last)}"] if last else []
    return (
        ", ".join((status.timer, *(parts or ["which 'nsunit enable --now' starts, or the next boot"])))
        if status.timer
        else ""
    )


def describe_root(root: Root) -> str:
    """What the root is made of, in words."""
    if root.kind == "directory":
        return root.path or ""
    return f"overlay of {', '.join(root.layers)} below {root.upper or 'a tmpfs'}"


def describe_ids(ids: Ids) -> str:
    """Whose ids they are, in words: `0 inside is 1000 outside, 1-65536 are 100000-165535`."""
    if ids.reserved:
        return ", ".join(_range(entry.outside, entry.count) for entry in ids.users) + " are reserved for it"
    if ids.users == ids.groups:
        return _map(ids.users)
    return f"users: {_map(ids.users)}; groups: {_map(ids.groups)}"


def _map(entries: Sequence[IdRange]) -> str:
    if [(entry.inside, entry.outside) for entry in entries] == [(0, 0)] and entries[0].count == _ALL_IDS:
        return "the host's own"
    parts: list[str] = []
    for entry in entries:
        inside, outside = (_range(first, entry.count) for first in (entry.inside, entry.outside))
        words = ("", "") if parts else (" inside", " outside")
        parts.append(f"{inside}{words[0]} {'is' if entry.count == 1 else 'are'} {outside}{words[1]}")
    return ", ".join(parts)


def _range(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"


def _field(label: str, text: str) -> list[str]:
    return [f"{label:>12}: {printable(text)}"] if text else []


def _words(label: str, words: list[str], style: Style) -> list[str]:
    """A field of several words, in as many lines as they take on the terminal."""
    lines = [f"{label:>12}:"] if words else []
    for word in words:
        if style.terminal and len(lines[-1]) + 1 + len(word) > style.width():
            lines.append(" " * 13)
        lines[-1] += f" {word}"
    return lines


def _activity(status: Status, style: Style, now: float | None) -> str:
    state = status.state
    text = style.state(state.active_state) + f" ({printable(state.sub_state)})"
    if status.frozen:
        text += " " + style.paint("(paused)", "yellow")
    if status.result not in ("success", ""):
        code = "" if status.exit_status is None else f", status {status.exit_status}"
        code += f", {status.signal}" if status.signal else ""
        text += f" (Result: {printable(status.result)}{code})"
    if state.since_usec:
        text += f" since {format_time(state.since_usec)}; {format_ago(state.since_usec, now)} ago"
    return text


def _health(status: Status, style: Style, now: float | None) -> list[str]:
    health = status.health
    if health is None:
        return []
    colour = {HEALTHY: "green", UNHEALTHY: "red"}.get(health.status, "yellow")
    text = style.paint(health.status, colour)
    if health.results:
        last = health.results[-1]
        text += f"; checked {format_ago(last.ended_usec, now)} ago"
        if last.status:
            text += f", {plural(health.failing_streak, 'failure')} in a row: {last.summary()}"
    return [f"{'Health':>12}: {text}"]


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
    killers = ((status.oom_kills, "the kernel"), (status.managed_oom_kills, "systemd-oomd"))
    if kills := ", ".join(f"{count} by {who}" for count, who in killers if count):
        lines.append(f"{'OOM kills':>12}: {kills}")
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


def _listens(state: ContainerState) -> bool:
    """Whether it is started by its first connection."""
    return state.sub_state == "listening"


def _begin_last_lines(status: Status, count: int, *, user: bool) -> subprocess.Popen[bytes] | None:
    """Have journalctl look for the last lines of its log since it was started."""
    if not status.invocation:
        return None
    options = {"lines": str(count), "no-pager": None, "quiet": None}
    argv = journal_command({}, options, filter(None, [status.log_namespace]), user=user)
    # As systemctl status does it: what the unit's processes said, or systemd of it.
    field = "USER_INVOCATION_ID" if user else "INVOCATION_ID"
    argv += [f"_SYSTEMD_INVOCATION_ID={status.invocation}", "+", f"{field}={status.invocation}"]
    try:
        return subprocess.Popen(argv, stdout=subprocess.PIPE)
    except FileNotFoundError:
        return None  # a host without journalctl; `nsunit logs` says so


def _last_lines(journal: subprocess.Popen[bytes], style: Style, *, full: bool) -> None:
    """Show what *journal* has found, with control characters made harmless."""
    shown = journal.communicate()[0]
    if shown:
        style.line()
        for line in shown.decode(errors="replace").splitlines():
            style.line(printable(line) if full else style.cut(printable(line)))
        if os.strerror(errno.ENXIO).encode() in shown:
            style.line(
                "  hint: a program that opens /dev/stdout or /dev/stderr by name needs Output=pipe in [Container]"
            )
