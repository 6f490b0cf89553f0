"""volume export and import."""

from __future__ import annotations

import os
import sys

from nsunit.cli import say, warn
from nsunit.cli.output import print_json
from nsunit.errors import NsunitError, UsageError
from nsunit.features.volumes import transfer
from nsunit.names import printable
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def export_volume(invocation: Invocation) -> int:
    """`nsunit volume export`."""
    name, *rest = invocation.operands
    if rest and rest[0] != "-":
        context = invocation.context()
        whole = files.write_whole(
            rest[0], lambda fd: transfer.export_volume(context, name, fd, f"'{printable(rest[0])}'")
        )
    elif sys.stdout.isatty():
        raise UsageError("an archive is not for a terminal", hint=f"nsunit volume export {printable(name)} FILE")
    else:
        whole = transfer.export_volume(invocation.context(), name, sys.stdout.fileno())
    if not whole:
        warn(f"warning: files of the volume '{printable(name)}' were written to meanwhile")
    return 0


def import_volume(invocation: Invocation) -> int:
    """`nsunit volume import`."""
    name, *rest = invocation.operands
    if rest and rest[0] != "-":
        try:
            fd = os.open(rest[0], os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NsunitError(f"'{printable(rest[0])}': {error.strerror}") from None
        try:
            transfer.import_volume(invocation.context(), name, fd)
        finally:
            os.close(fd)
    else:
        transfer.import_volume(invocation.context(), name, sys.stdin.fileno())
    if invocation.flag("json"):
        print_json([name])
    elif not invocation.flag("quiet"):
        say(name)
    return 0
