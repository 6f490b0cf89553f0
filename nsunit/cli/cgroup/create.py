"""The verb `cgroup create`."""

from __future__ import annotations

import grp
import pwd

from nsunit.cli.cgroup.specs import SPEC_HINT, for_each, specs_of, system_context
from nsunit.errors import UsageError
from nsunit.features.cgroup.deeds import create as create_group
from nsunit.features.cgroup.plan import Access, parse_mode
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def create(invocation: Invocation) -> int:
    """The verb `cgroup create`."""
    specs = specs_of(invocation)
    for controllers, group in specs:
        if not controllers:
            raise UsageError(f"cgroup create: '{group.path}' is given no controllers", hint=SPEC_HINT)
    access = Access(
        _owner(invocation.value("admin")),
        _owner(invocation.value("tasks")),
        *(_mode(invocation.value(name)) for name in ("dperm", "fperm", "tperm")),
    )
    context = system_context(invocation)
    return for_each(specs, lambda controllers, group: create_group(context, controllers, group, access))


def _mode(text: str | None) -> int | None:
    return None if text is None else parse_mode(text)


def _owner(text: str | None) -> tuple[int, int] | None:
    """Read `USER[:GROUP]`, names or numbers; without a group it is the user's own."""
    if text is None:
        return None
    user, _, group = text.partition(":")
    try:
        if user.isascii() and user.isdigit():
            uid = int(user)
            gid = uid if group else pwd.getpwuid(uid).pw_gid
        else:
            entry = pwd.getpwnam(user)
            uid, gid = entry.pw_uid, entry.pw_gid
        if group:
            gid = int(group) if group.isascii() and group.isdigit() else grp.getgrnam(group).gr_gid
    except (KeyError, OverflowError, ValueError):
        raise UsageError(f"'{printable(text)}' is not a user and group of this host", hint="-a USER[:GROUP]") from None
    if max(uid, gid) >= (1 << 32) - 1:
        raise UsageError(f"'{printable(text)}' is not a user and group of this host", hint="-a USER[:GROUP]")
    return uid, gid
