"""The verb `top`."""

from __future__ import annotations

import os
import sys

from nsunit.cli.look.live.full import full
from nsunit.core.running import find_running
from nsunit.errors import NsunitError
from nsunit.names import ROOT_SLICE, check_any_name, check_name, group_slice, is_group, limited, slice_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation

# What follows these is theirs, systemd-cgtop(1).
_WITH_VALUES = frozenset(("-d", "-n", "-M", "--delay", "--depth", "--iterations", "--machine", "--order"))


def top(invocation: Invocation) -> int:
    """The verb `top`: becomes systemd-cgtop, unless --full is among its arguments."""
    if "--full" in invocation.operands:
        return full(invocation)
    # All arguments are systemd-cgtop's, so a --user for us stands before the verb.
    above = invocation.context().cgroup if invocation.flag("user") else ""
    sys.stdout.flush()
    arguments, group = list(invocation.operands), f"/{ROOT_SLICE}"
    place = _place_of_name(arguments)
    if place is not None:
        group = slice_path(_slice_of(invocation, arguments.pop(place)))
    argv = ["systemd-cgtop", *arguments, above + group]
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise NsunitError("systemd-cgtop is not there", hint="it comes with systemd; see 'nsunit doctor'") from None


def _place_of_name(arguments: Sequence[str]) -> int | None:
    """Where among *arguments* a container or group is named; None where all are systemd-cgtop's own."""
    for place, word in enumerate(arguments):
        if word == "--":
            break
        if word[:1] not in ("", "-", "/") and not (place and arguments[place - 1] in _WITH_VALUES):
            return place
    return None


def _slice_of(invocation: Invocation, name: str) -> str:
    if is_group(limited(name)):
        return group_slice(limited(check_any_name(name)))
    return find_running(invocation.context(), check_name(name)).slice
