"""The verb `logs`."""

from __future__ import annotations

import os
import subprocess
import sys

from nsunit.core.running import slice_of
from nsunit.core.stored import is_known, journal_of
from nsunit.definition.search import find
from nsunit.errors import NsunitError, UsageError
from nsunit.names import former_unit, printable, service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.cli.verbs import Invocation


_CURSOR = b"-- cursor: "


def logs(invocation: Invocation) -> int:
    """The verb `logs`: becomes journalctl."""
    options = {
        long: invocation.value(long)
        for long in ("follow", "lines", "since", "until", "output", "reverse", "grep")
        if invocation.flag(long)
    }
    for long in ("since", "until"):
        _check_time(long, options.get(long))
    if sys.stdout.isatty() and not invocation.flag("full"):
        options["no-full"] = None
    if invocation.flag("json"):
        options["output"] = "json"
    if invocation.flag("quiet"):
        options["quiet"] = None

    context = invocation.context()
    names = invocation.names("defined", pods=True)
    slices = {name: slice_of(context, name) for name in names}
    places = {namespace for name in names if (namespace := journal_of(context, name))}
    sys.stdout.flush()
    try:
        if options.keys() >= {"since", "lines"} and "reverse" not in options and options["lines"] != "all":
            options = _of_the_last(slices, options, places, user=invocation.flag("user"))
        argv = journal_command(slices, options, places, user=invocation.flag("user"))
        for name in names:
            if not is_known(context, name) and not _last_line(
                {name: slices[name]}, places, user=invocation.flag("user")
            ):
                find(name, context.search)  # raises, and names what is near
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise NsunitError("journalctl is not there", hint="it comes with systemd; see 'nsunit doctor'") from None


def print_nothing(_: Invocation) -> int:
    """Print what journalctl does of nobody: no line."""
    return 0


def _check_time(long: str, text: str | None) -> None:
    """Refuse a span without a sign, which is the past with other tools, and nothing for journalctl."""
    if text is None or not text[:1].isdigit():
        return
    unit = text.lstrip("0123456789.").lstrip()
    if unit[:1].isalpha() and unit.split()[-1] not in ("ago", "left") and unit[:1] != "T":
        raise UsageError(f"--{long}: '{printable(text)}' is not a time", hint=f"--{long}='{printable(text)} ago'")


def _of_the_last(
    slices: dict[str, str], options: dict[str, str | None], places: Iterable[str], *, user: bool
) -> dict[str, str | None]:
    """*options* with which journalctl shows the last lines since a time, where that of systemd 252 shows the first.

    It begins at the entry that is the last one of as many in reverse.
    """
    backwards = {name: value for name, value in options.items() if name != "follow"}
    backwards |= {"reverse": None, "output": "cat", "show-cursor": None, "no-pager": None}
    command = journal_command(slices, backwards, places, user=user)
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.splitlines()
    if not said or not said[-1].startswith(_CURSOR):
        return options
    cursor = said[-1].removeprefix(_CURSOR).decode("ascii", "surrogateescape")
    return {"cursor": cursor, **{name: value for name, value in options.items() if name != "since"}}


def _last_line(slices: dict[str, str], places: Iterable[str], *, user: bool) -> bytes:
    """The last line that the journal has of them: of what is not defined any more, too."""
    argv = journal_command(slices, {"lines": "1", "no-pager": None, "quiet": None}, places, user=user)
    return subprocess.run(argv, stdout=subprocess.PIPE, check=False).stdout


def journal_command(
    slices: dict[str, str], options: dict[str, str | None], places: Iterable[str] = (), *, user: bool = False
) -> list[str]:
    """Return the journalctl command for containers, by name with their slices; an option without a value is a flag.

    *places* are the journal namespaces that payloads write to; what systemd says of them is in the usual journal.

    `-u` with the service matches the payload, systemd's own messages about it and its core dumps; with the slice, all
    that runs in it, so `exec` sessions and a foreground `run` as well (journalctl(1)).  With *user* they are units
    of the user's systemd.
    """
    # Not --user: what users said is in the system's journal where that is not kept on disk.
    argv = ["journalctl", "--quiet"] if user else ["journalctl"]
    if found := sorted(set(places)):
        argv.append("--namespace=" + (f"+{found[0]}" if len(found) == 1 else "*"))
    option = "--user-unit" if user else "--unit"
    for name, slice_ in slices.items():
        former = former_unit(service_name(name))  # what the journal has of it from an earlier nsunit
        argv += [f"{option}={unit}" for unit in (service_name(name), former, slice_) if unit]
    return argv + [f"--{long}" if value is None else f"--{long}={value}" for long, value in options.items()]
