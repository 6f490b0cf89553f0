"""The verb `cat`."""

from __future__ import annotations

from nsunit.cli.definitions.files import print_file
from nsunit.cli.definitions.lookup import checked
from nsunit.cli.output import Style, print_json
from nsunit.deeds.look.sources import files_of
from nsunit.definition import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def cat(invocation: Invocation) -> int:
    """The verb `cat`: each file under a comment with its path, as systemctl cat does it."""
    context = invocation.context()
    paths = [path for name in invocation.operands for path in files_of(context, checked(name))]
    found = [(path, read_regular(path).decode("utf-8", "surrogateescape")) for path in paths]
    if invocation.flag("json"):
        print_json([{"path": path, "text": text} for path, text in found])
        return 0
    style = Style(plain=invocation.flag("no-color"))
    for number, (path, text) in enumerate(found):
        print_file(path, text, style, not number)
    return 0
