"""The verb `version`."""

from __future__ import annotations

import os
import sys

from nsunit.cli.output import print_json
from nsunit.errors import BusError
from nsunit.names import printable
from nsunit.version import JSON_SCHEMA, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def print_version() -> int:
    """`nsunit --version`: one line, and it needs nothing but nsunit itself."""
    sys.stdout.write(f"nsunit {VERSION}\n")
    return 0


def version(invocation: Invocation) -> int:
    """The verb `version`: all that a bug report needs.  Without systemd it says so and still does its work."""
    versions: dict[str, object] = {"nsunit": VERSION}
    try:
        versions["systemd"] = invocation.context().bus.version()
    except BusError as error:
        versions["systemd"] = None
        if not invocation.flag("quiet"):
            sys.stderr.write(f"nsunit: {printable(error.message)}\n")
    system = os.uname()
    versions["linux"] = system.release
    versions["python"] = ".".join(map(str, sys.version_info[:3]))
    versions["machine"] = system.machine
    if invocation.flag("json"):
        print_json({**versions, "schema": JSON_SCHEMA})
    else:
        for name, value in versions.items():
            sys.stdout.write(f"{name} {'not reachable' if value is None else printable(str(value))}\n")
    return 0
