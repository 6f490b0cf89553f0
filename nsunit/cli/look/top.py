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
    from nsunit.cli.verbs import Invocation

# What follows these is theirs, systemd-cgtop(1).
_WITH_VALUES = frozenset(("-d", "-n", "-M", "--", "--delay", "--depth", "--iterations", "--machine", "--order"))


def top(invocation: Invocation) -> int:
    """The verb `top`: becomes systemd-cgtop, unless --full is among its arguments."""
    if "--full" in invocation.operands:
        return full(invocation)
    # All arguments are systemd-cgtop's, so a --user for us stands before the verb.
    above = invocation.context().cgroup if invocation.flag("user") else ""
    sys.stdout.flush()
    arguments, group = invocation.operands, f"/{ROOT_SLICE}"
    last = limited(arguments[-1]) if arguments and arguments[-1][:1] not in ("-", "/") else ""
    if is_group(last):
        arguments, group = arguments[:-1], slice_path(group_slice(limited(check_any_name(arguments[-1]))))
    elif last and not _WITH_VALUES.intersection(arguments[-2:-1]):
        arguments, group = arguments[:-1], slice_path(find_running(invocation.context(), check_name(last)).slice)
    argv = ["systemd-cgtop", *arguments, above + group]
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise NsunitError("systemd-cgtop is not there", hint="it comes with systemd; see 'nsunit doctor'") from None
