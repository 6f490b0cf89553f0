"""ns list, ns same, ns pin, ns unpin."""

from __future__ import annotations

import sys

from nsunit.cli.output import Style, print_json, print_table
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.options import Invocation
    from nsunit.plan.ledger import Row

EXIT_DIFFERENT = 1
_COLUMNS = ("CONTAINER", "KIND", "INODE", "OWNER", "PROCESSES", "PINS", "STATE", "KEPT BY")


def list_namespaces(invocation: Invocation) -> int:
    """The verb `ns list`."""
    from nsunit.manager.ledger import list_namespaces

    found = list_namespaces(invocation.context(), invocation.operands, left=invocation.flag("left"))
    if invocation.flag("json"):
        print_json(found)
    else:
        print_table(Style(plain=invocation.flag("no-color")), _COLUMNS, [row_of(item) for item in found])
    return 0


def row_of(item: Row) -> tuple[str, ...]:
    """One line of the table of namespaces."""
    return (
        item.container,
        item.kind,
        str(item.inode),
        "-" if item.owner is None else str(item.owner),
        str(item.processes),
        " ".join(item.pins) or "-",
        item.state,
        "; ".join(item.kept_by) or "-",
    )


def same(invocation: Invocation) -> int:
    """The verb `ns same`."""
    from nsunit.manager.ledger import same

    left, right, *kind = invocation.operands
    found = same(invocation.context(), left, right, kind[0] if kind else None)
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        rows = [
            (item.kind, "same" if item.same else "different", *(str(inode) for inode in item.inodes)) for item in found
        ]
        print_table(Style(plain=invocation.flag("no-color")), ("KIND", "RESULT", "A", "B"), rows)
    return 0 if all(item.same for item in found) else EXIT_DIFFERENT


def pin(invocation: Invocation) -> int:
    """The verb `ns pin`: prints the path of the pinned namespace."""
    from nsunit.manager.pins import pin

    name, kind, *place = invocation.operands
    path = pin(invocation.context(), check_name(name), kind, place[0] if place else None)
    if invocation.flag("json"):
        print_json({"path": path})
    elif not invocation.flag("quiet"):
        sys.stdout.write(path + "\n")
    return 0


def unpin(invocation: Invocation) -> int:
    """The verb `ns unpin`."""
    from nsunit.manager.pins import unpin

    place, *kind = invocation.operands
    gone = unpin(invocation.context(), place, kind[0] if kind else None)
    if invocation.flag("json"):
        print_json({"pin": place, "kinds": gone})
    return 0
