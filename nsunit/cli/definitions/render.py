"""The verb `render`."""

from __future__ import annotations

from nsunit.cli.definitions.files import print_file
from nsunit.cli.definitions.lookup import checked
from nsunit.cli.output import Style, print_json
from nsunit.core.unit_files import unit_files
from nsunit.deeds.render import render as render_units
from nsunit.errors import UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


OLDEST_VERSION = 252  # that nsunit works with


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) >= OLDEST_VERSION):
        raise UsageError(
            f"--for: '{printable(text)}' is no version of systemd that nsunit works with",
            hint=f"give a number from {OLDEST_VERSION} on, as 'systemctl --version' says it",
        )
    return int(text)


def render(invocation: Invocation) -> int:
    """The verb `render`."""
    context = invocation.context()
    name = checked(invocation.operands[0])
    if invocation.flag("for"):
        context.mean(_version(invocation.value("for") or ""))
    if not invocation.flag("unit-files"):
        print_json(render_units(context, name))
        return 0
    files = unit_files(context, name)
    if invocation.flag("json"):
        print_json(files)
        return 0
    style = Style(plain=invocation.flag("no-color"))
    for index, (path, text) in enumerate(files.items()):
        print_file(path, text, style, first=index == 0)
    return 0
