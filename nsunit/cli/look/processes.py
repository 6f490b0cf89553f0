"""The verb `ps`."""

from __future__ import annotations

import functools
import pwd
import sys

from nsunit.cli import fail
from nsunit.cli.output import Style, format_duration, format_size, print_json, print_table
from nsunit.deeds.look.processes import list_processes
from nsunit.errors import NotFoundError, NsunitError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.look.processes import Process

_COLUMNS = ("PID", "INSIDE", "USER", "USER INSIDE", "UNIT", "STATE", "CPU%", "CPU", "MEMORY", "COMMAND")
_SPARE = ("CPU", "STATE", "UNIT", "USER", "CPU%", "INSIDE", "MEMORY")  # the first is left out first


def processes(invocation: Invocation) -> int:
    """The verb `ps`: of several containers each line begins with the name."""
    context, names = invocation.context(), invocation.names("running")
    if not names and invocation.operands:
        raise NotFoundError(f"{', '.join(map(printable, invocation.operands))}: nothing in it is running")
    found, failed = [], []
    for name in names:
        try:
            found += list_processes(context, name)
        except NsunitError as error:
            failed.append(error)
    if invocation.flag("json"):
        print_json(found)
    elif len(names) == 1 and names == invocation.operands:
        print_table(Style.of(invocation), _COLUMNS, [process_row(item) for item in found], _SPARE, cut=True)
    else:
        rows = [(item.container, *process_row(item)) for item in found]
        print_table(Style.of(invocation), ("NAME", *_COLUMNS), rows, _SPARE, cut=True)
    sys.stdout.flush()
    return fail(failed)


def process_row(process: Process) -> tuple[str, ...]:
    """One line of the table of processes."""
    return (
        str(process.pid),
        "-" if process.inside_pid is None else str(process.inside_pid),
        _user(process.uid),
        "-" if process.inside_uid is None else "root" if process.inside_uid == 0 else str(process.inside_uid),
        process.unit,
        process.state,
        f"{process.cpu_percent:.1f}",
        format_duration(process.cpu_usec / 1_000_000),
        format_size(process.memory),
        process.command,
    )


@functools.cache
def _user(uid: int) -> str:
    """The host's name for *uid*, if it has one; what a container's own files call it is hearsay."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
