"""Namespaces that containers have left behind."""

from __future__ import annotations

from nsunit.core.findings import WARNING, Finding, is_privileged
from nsunit.features.namespaces.ledger import leftovers, rows
from nsunit.features.namespaces.scan import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nsunit.core.context import Context
    from nsunit.features.namespaces.ledger import Row


def findings(context: Context) -> list[Finding]:
    """The findings on this host."""
    if not is_privileged():
        return []
    try:
        return list(judge(leftovers(rows(scan(context.paths)))))
    except PermissionError:
        return []  # without CAP_SYS_PTRACE over process 1, so in a container


def judge(left: Iterable[Row]) -> Iterator[Finding]:
    """Namespaces that live on without their container hold memory, addresses, mounts: something forgot to let go."""
    for row in left:
        kept_by = "; ".join(row.kept_by) or "something that /proc does not show"
        text = f"{row.kind} {row.inode} of {row.container} is alive without its container: {kept_by}"
        yield Finding("namespaces", WARNING, text, "see 'nsunit ns list --left'; what keeps it has to let go")
