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
    from collections.abc import Iterator, Mapping
    from typing import Any

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
    only_files = invocation.flag("unit-files")
    if invocation.flag("json"):
        print_json((unit_files if only_files else render_units)(context, name))
        return 0
    style = Style(plain=invocation.flag("no-color"))
    if not only_files:
        for line in _in_words(render_units(context, name)):
            style.line(printable(line))
    files = unit_files(context, name)
    for index, (path, text) in enumerate(files.items()):
        print_file(path, text, style, first=index == 0)
    return 0


def _in_words(document: Mapping[str, Any]) -> Iterator[str]:
    """What the helper does in the unit, as comments over the unit files."""
    if "setup" in document:
        yield "# What nsunit-setup(8) does in the unit before the program runs:"
        for number, step in enumerate(document["setup"], 1):
            yield f"# {number:3}. {step['does']}"
        yield ""
