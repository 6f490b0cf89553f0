"""The ledger of namespaces: `ns list` and `ns same`."""

from __future__ import annotations

import os

from nsunit.core.running import check_alive, find_running, open_pidfd
from nsunit.errors import NotFoundError, UsageError
from nsunit.features.namespaces import nsfs
from nsunit.features.namespaces.ledger import Comparison, Row, compare, leftovers, rows
from nsunit.features.namespaces.scan import scan
from nsunit.names import check_name, printable
from nsunit.setup.namespaces import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context

HOST = "host"
Side = dict[str, tuple[int, int]]  # kind -> device and inode


def list_namespaces(context: Context, names: Sequence[str] = (), *, left: bool = False) -> list[Row]:
    """Every namespace of the containers *names*, or of all; with *left* only those that are alive without reason.

    Raises:
        NotFoundError: one of *names* neither runs nor has left a namespace behind.
    """
    found = rows(scan(context.paths, context.cgroup))
    for name in names:
        check_name(name)
        if not any(row.container == name for row in found):
            raise NotFoundError(f"{name}: it is not running", hint="'nsunit ns list' shows all there are")
    found = [row for row in found if not names or row.container in names]
    return leftovers(found) if left else found


def same(context: Context, left: str, right: str, kind: str | None = None) -> list[Comparison]:
    """Compare the namespaces of *left* and *right*: containers, process ids, paths of namespaces, or "host".

    Raises:
        NotFoundError: one of them does not run, or is not there.
        UsageError: a path is not that of a namespace, or the two have no kind in common.
    """
    if kind is not None:
        nsfs.check_kind(kind)
    one, other = _side(context, left), _side(context, right)
    found = compare(one, other, KINDS if kind is None else (kind,))
    if not found:
        only = next((text for text, side in ((left, one), (right, other)) if len(side) == 1), left)
        raise UsageError(f"'{printable(only)}' is a namespace of another kind")
    return found


def _side(context: Context, text: str) -> Side:
    if text == HOST:
        return _of_process("self" if context.user else 1)  # of the host, too, and the user may look at it
    if text.isascii() and text.isdigit():
        return _of_process(int(text))
    if "/" in text:
        return _of_path(text)
    running = find_running(context, check_name(text))
    pidfd = open_pidfd(context, running)
    found = _of_process(running.pid)
    check_alive(running, pidfd)
    os.close(pidfd)
    return found


def _of_process(pid: int | str) -> Side:
    found = {}
    for kind in KINDS:
        try:
            status = os.stat(f"/proc/{pid}/ns/{kind}")
        except (FileNotFoundError, ProcessLookupError):
            raise NotFoundError(f"there is no process {pid}") from None
        found[kind] = status.st_dev, status.st_ino
    return found


def _of_path(path: str) -> Side:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFoundError(f"there is no '{printable(path)}'") from None
    try:
        kind = nsfs.kind_of(fd)
    except OSError:
        raise UsageError(
            f"'{printable(path)}' is not a namespace", hint="for instance /proc/1/ns/net, or a pin's path"
        ) from None
    finally:
        status = os.fstat(fd)
        os.close(fd)
    return {kind: (status.st_dev, status.st_ino)}
