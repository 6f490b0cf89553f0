"""The verbs `ns list` and `ns same`."""

from __future__ import annotations

from nsunit.cli.output import Style, print_json, print_table
from nsunit.features.namespaces import listing as ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.namespaces.ledger import Row

EXIT_DIFFERENT = 1
_COLUMNS = ("CONTAINER", "KIND", "INODE", "OWNER", "PROCESSES", "PINS", "STATE", "KEPT BY")
_SPARE = ("PINS", "OWNER", "PROCESSES", "KEPT BY", "STATE")  # the first is left out first


def list_namespaces(invocation: Invocation) -> int:
    """The verb `ns list`."""
    found = ledger.list_namespaces(invocation.context(), invocation.operands, left=invocation.flag("left"))
    if invocation.flag("json"):
        print_json(found)
    else:
        print_table(Style.of(invocation), _COLUMNS, [row_of(item) for item in found], _SPARE)
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
    left, right, *kind = invocation.operands
    found = ledger.same(invocation.context(), left, right, kind[0] if kind else None)
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        rows = [
            (item.kind, "same" if item.same else "different", *(str(inode) for inode in item.inodes)) for item in found
        ]
        print_table(Style.of(invocation), ("KIND", "RESULT", "A", "B"), rows, cut=True)
    return 0 if all(item.same for item in found) else EXIT_DIFFERENT
