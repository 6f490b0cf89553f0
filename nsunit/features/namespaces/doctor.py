"""Namespaces that containers have left behind, and pins that nothing is pinned by."""

from __future__ import annotations

from nsunit.core.findings import WARNING, Finding, Leftover, is_privileged
from nsunit.features.namespaces.ledger import leftovers, rows
from nsunit.features.namespaces.pins import empty_pins, remove_empty_pin
from nsunit.features.namespaces.scan import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nsunit.core.context import Context
    from nsunit.core.findings import Owners
    from nsunit.features.namespaces.ledger import Row


_KIND = "pin"


def findings(context: Context) -> list[Finding]:
    """The findings on this host."""
    if not is_privileged():
        return []
    try:
        return list(judge(leftovers(rows(scan(context.paths)))))
    except PermissionError:
        return []  # without CAP_SYS_PTRACE over process 1, so in a container


def left(owners: Owners) -> Iterator[Leftover]:
    """Directories of pins whose command was killed before or after the mount."""
    base = owners.context.paths.namespaces
    for pin in empty_pins(owners.context):
        yield Leftover(_KIND, f"{base}/{pin}", "nothing is pinned by it")


def take_away(context: Context, item: Leftover) -> None:
    """Remove such a one."""
    if item.kind == _KIND:
        remove_empty_pin(context, item.what.rpartition("/")[2])


def judge(left: Iterable[Row]) -> Iterator[Finding]:
    """Namespaces that live on without their container hold memory, addresses, mounts: something forgot to let go."""
    for row in left:
        kept_by = "; ".join(row.kept_by) or "something that /proc does not show"
        text = f"{row.kind} {row.inode} of {row.container} is alive without its container: {kept_by}"
        yield Finding("namespaces", WARNING, text, "see 'nsunit ns list --left'; what keeps it has to let go")
