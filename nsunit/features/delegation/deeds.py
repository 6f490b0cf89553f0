"""Delegate resource controllers to a user, by a drop-in of user@UID.service; systemd.resource-control(5)."""

from __future__ import annotations

import pwd

from nsunit.dropins import files
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.delegation.plan import missing_controllers, wanted_controllers
from nsunit.names import printable
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context

UNIT_DIRECTORY = "/etc/systemd/system"
_JOB_SECONDS = 120.0


class Delegation(Record):
    """What a user is given.

    `controllers` are those the drop-in names, `present` those the user's manager really has, None if it does not run;
    `missing` those that have not arrived, `changed` whether the drop-in is another one now.
    """

    user: str
    uid: int
    unit: str
    path: str
    controllers: tuple[str, ...]
    present: tuple[str, ...] | None
    missing: tuple[str, ...]
    changed: bool = False
    restarted: bool = False


def look(context: Context, user: str) -> Delegation:
    """What *user* (a name or a uid) has been given.

    Raises:
        NotFoundError: there is no such user.
    """
    name, uid = _find_user(user)
    unit = f"user@{uid}.service"
    path = f"{UNIT_DIRECTORY}/{unit}.d/delegate.conf"
    controllers = _controllers_in(files.read(path) or b"")
    present = _present(context, unit)
    return Delegation(name, uid, unit, path, controllers, present, missing_controllers(controllers, present or ()))


def delegate(context: Context, user: str, controllers: Sequence[str], *, now: bool = False) -> Delegation:
    """Delegate *controllers*, all there are for none, to *user* from the next start of the user's manager on.

    With *now*, that is restarted at once, with all that runs in it.

    Raises:
        NotFoundError: there is no such user.
        UsageError: one of *controllers* cannot be delegated.
        NsunitError: the restarted manager has not got them.
    """
    available = (read_kernel_file(f"{CGROUP_ROOT}/cgroup.controllers") or "").split()
    before = look(context, user)
    wanted = wanted_controllers(controllers, available)
    from nsunit.dropins.render import render_delegation  # Jinja2 is not there where the package is built

    content = render_delegation(before.user, wanted).encode()
    old = files.read(before.path)
    if content != old:
        _change(context, before.path, content, old)
    found = _after(context, before, now=now, changed=content != old)
    if found.restarted and found.missing:
        raise NsunitError(
            f"{found.unit} runs without {' '.join(found.missing)}",
            hint=f"see 'systemctl cat {found.unit}' for what else sets Delegate=",
        )
    return found


def remove(context: Context, user: str, *, now: bool = False) -> Delegation:
    """Take back what `delegate` has given; systemd's own defaults stay."""
    before = look(context, user)
    old = files.read(before.path)
    if old is not None:
        _change(context, before.path, None, old)
    return _after(context, before, now=now, changed=old is not None)


def _change(context: Context, path: str, content: bytes | None, old: bytes | None) -> None:
    """Put *content* in place and have systemd read it, or leave everything as it was."""
    try:
        files.restore(path, content)
        context.bus.reload()
    except BaseException:
        files.restore(path, old)
        raise


def _after(context: Context, before: Delegation, *, now: bool, changed: bool) -> Delegation:
    if now and before.present is not None:
        job = context.bus.restart(before.unit)
        result = context.bus.wait(job, _JOB_SECONDS)
        if result != "done":
            raise NsunitError(
                f"the restart of {before.unit} ended as '{result}'", hint=f"see 'systemctl status {before.unit}'"
            )
    restarted = now and before.present is not None
    return look(context, str(before.uid)).replace(changed=changed, restarted=restarted)


def _find_user(user: str) -> tuple[str, int]:
    try:
        entry = pwd.getpwuid(int(user)) if user.isascii() and user.isdigit() else pwd.getpwnam(user)
    except (KeyError, OverflowError, ValueError):  # ValueError: a NUL in it
        raise NotFoundError(f"there is no user '{printable(user)}'", hint="see 'getent passwd'") from None
    return entry.pw_name, entry.pw_uid


def _controllers_in(content: bytes) -> tuple[str, ...]:
    lines = content.decode(errors="replace").splitlines()
    return tuple(next((line[len("Delegate=") :] for line in lines if line.startswith("Delegate=")), "").split())


def _present(context: Context, unit: str) -> tuple[str, ...] | None:
    """The controllers that the user's manager has, None if it does not run."""
    state = context.bus.get(unit, "ActiveState", "ControlGroup")
    if state.get("ActiveState") != "active":
        return None
    content = read_kernel_file(f"{CGROUP_ROOT}{state.get('ControlGroup')}/cgroup.controllers")
    return None if content is None else tuple(content.split())
