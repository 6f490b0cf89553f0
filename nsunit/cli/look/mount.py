"""The verbs `mount` and `umount`."""

from __future__ import annotations

import os

from nsunit.cli import say
from nsunit.cli.output import Style, print_json, print_table
from nsunit.deeds.mount.mount import mount as mount_root
from nsunit.deeds.mount.mount import unmount_from
from nsunit.deeds.mount.mounted import mounted
from nsunit.errors import NotFoundError, UsageError
from nsunit.names import check_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.mount.mounted import Mounted


def mount(invocation: Invocation) -> int:
    """The verb `mount`."""
    if invocation.operands:
        name, *rest = invocation.operands
        directory = rest[0] if rest else None
        found = mount_root(invocation.context(), name, directory, writable=invocation.flag("write"))
        return _tell(invocation, [found])
    if invocation.flag("write"):
        raise UsageError("--write is for a container that is to be mounted", hint="nsunit mount --write NAME")
    listed = mounted(invocation.context())
    if invocation.flag("json"):
        print_json(listed)
        return 0
    rows: list[tuple[str, ...]] = [(item.name, "rw" if item.writable else "ro", item.path) for item in listed]
    print_table(Style.of(invocation), ("NAME", "MODE", "PATH"), rows)
    return 0


def umount(invocation: Invocation) -> int:
    """The verb `umount`."""
    name, *rest = invocation.operands
    if "/" in name and not rest:  # as of umount(8)
        there = [item.name for item in mounted(invocation.context()) if item.path == os.path.realpath(name)]
        if not there:
            hint = "see 'nsunit mount', or umount(8)"
            raise NotFoundError(f"no container's root is mounted on '{printable(name)}'", hint=hint)
        name, rest = there[0], [name]
    gone = unmount_from(invocation.context(), check_name(name), rest[0] if rest else None)
    if not gone:
        raise NotFoundError(f"{name}: its root is not mounted", hint="see 'nsunit mount'")
    return _tell(invocation, gone)


def _tell(invocation: Invocation, found: Sequence[Mounted]) -> int:
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        for item in found:
            say(item.path)
    return 0
