"""volume list and inspect."""

from __future__ import annotations

import sys

from nsunit.cli.output import Style, format_size, print_json, print_names, print_table
from nsunit.features.volumes.look import volumes
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.volumes.look import Shown


def list_volumes(invocation: Invocation) -> int:
    """`nsunit volume list`."""
    found = volumes(invocation.context())
    if invocation.flag("json"):
        print_json(found)
        return 0
    if invocation.flag("quiet"):
        print_names(item.name for item in found)
        return 0
    rows: list[tuple[str, ...]] = [
        (item.name, "yes" if item.filled else "no", format_size(item.size_max), " ".join(item.containers) or "-")
        for item in found
    ]
    style = Style.of(invocation)
    print_table(style, ("VOLUME", "FILLED", "SIZEMAX", "CONTAINERS"), rows, ("FILLED", "SIZEMAX", "CONTAINERS"))
    return 0


def inspect(invocation: Invocation) -> int:
    """`nsunit volume inspect`."""
    found = volumes(invocation.context(), invocation.operands)
    if invocation.flag("json"):
        print_json(found)
        return 0
    for place, item in enumerate(found):
        sys.stdout.write("\n" if place else "")
        for key, value in _lines(item):
            sys.stdout.write(f"{key:>10}: {printable(value)}\n")
    return 0


def _lines(item: Shown) -> list[tuple[str, str]]:
    fields = [
        ("Volume", item.name),
        ("Path", item.path),
        ("Filled", "yes" if item.filled else "no"),
        ("SizeMax", format_size(item.size_max) if item.size_max else ""),
        ("Containers", " ".join(item.containers)),
        ("Running", " ".join(item.running)),
    ]
    return [(key, value) for key, value in fields if value]
