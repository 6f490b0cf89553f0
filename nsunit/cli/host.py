"""version and doctor."""

from __future__ import annotations

import os
import sys

from nsunit.cli.output import Style, print_json
from nsunit.errors import BusError
from nsunit.names import printable
from nsunit.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.options import Invocation

_MARKS = {"ok": ("✓", "+", "green"), "warning": ("!", "!", "yellow"), "error": ("×", "x", "red")}


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
        print_json(versions)
    else:
        for name, value in versions.items():
            sys.stdout.write(f"{name} {'not reachable' if value is None else printable(str(value))}\n")
    return 0


def doctor(invocation: Invocation) -> int:
    """The verb `doctor`."""
    if invocation.flag("user"):
        from nsunit.manager.doctor_user import examine
    else:
        from nsunit.manager.doctor import examine
    findings = examine(invocation.context())
    if invocation.flag("json"):
        print_json(findings)
    else:
        style = Style(plain=invocation.flag("no-color"))
        width = max((len(finding.subject) for finding in findings), default=0)
        for finding in findings:
            if invocation.flag("quiet") and finding.state == "ok":
                continue
            mark, plain, colour = _MARKS[finding.state]
            sign = style.paint(mark if style.unicode else plain, colour)
            style.line(f"{sign} {printable(finding.subject):<{width}}  {printable(finding.text)}")
            if finding.hint:
                style.line(f"  {'':<{width}}  hint: {printable(finding.hint)}")
    return 1 if any(finding.state == "error" for finding in findings) else 0
