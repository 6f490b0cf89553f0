"""Printing files."""

from __future__ import annotations

from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.output import Style


def print_file(path: str, text: str, style: Style, first: bool) -> None:
    """Print a file under a comment with its path, as systemctl cat does it."""
    if not first:
        style.line()
    style.line(style.paint(f"# {printable(path)}", "grey"))
    for line in text.splitlines():
        style.line(printable(line.replace("\t", "        ")) if style.terminal else line)
