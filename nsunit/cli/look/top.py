"""The verb `top`."""

from __future__ import annotations

import os
import sys

from nsunit.cli.look.live.full import full
from nsunit.errors import NsunitError
from nsunit.names import ROOT_SLICE, check_any_name, group_slice, is_group, limited, slice_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def top(invocation: Invocation) -> int:
    """The verb `top`: becomes systemd-cgtop, unless --full is among its arguments."""
    if "--full" in invocation.operands:
        return full(invocation)
    # All arguments are systemd-cgtop's, so a --user for us stands before the verb.
    above = invocation.context().cgroup if invocation.flag("user") else ""
    sys.stdout.flush()
    arguments, group = invocation.operands, f"/{ROOT_SLICE}"
    if arguments and is_group(limited(arguments[-1])) and arguments[-1][0] not in "-/":
        arguments, group = arguments[:-1], slice_path(group_slice(limited(check_any_name(arguments[-1]))))
    argv = ["systemd-cgtop", *arguments, above + group]
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise NsunitError("systemd-cgtop is not there", hint="it comes with systemd; see 'nsunit doctor'") from None
