"""What `doctor` says, and what no container owns.

That one does is known by its unit, by what it was enabled with, or by a lock.
"""

from __future__ import annotations

import fcntl
import os

from nsunit.bus.protocol import NO_ANSWER
from nsunit.errors import BusError
from nsunit.names import (
    ROOT_SLICE,
    container_of_listener,
    container_of_unit,
    former_units,
    is_valid_name,
    pod_of_unit,
    service_name,
    unescape,
)
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.bus.protocol import UnitStatus
    from nsunit.core.context import Context

_CAP_SYS_ADMIN = 21
OK, WARNING, ERROR = "ok", "warning", "error"
_WAITING = (".socket", ".timer", ".path")
_CALM = ("inactive", "failed")


class Finding(Record):
    """One thing looked at: `state` is "ok", "warning" (something is lost) or "error" (containers cannot run)."""

    subject: str
    state: str
    text: str
    hint: str | None = None


def is_privileged() -> bool:
    """Whether this process can do what making containers takes, and trying it: it is root with CAP_SYS_ADMIN."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return os.geteuid() == 0 and bool(effective >> _CAP_SYS_ADMIN & 1)


BROUGHT_IN = "who was bringing something in is gone"  # why a leftover of `import` is one


class Leftover(Record):
    """A thing of *kind*, as the table in deeds/host/leftovers.py has them, and *why* it is one.

    *container* is the one whose name it has, empty for none.
    """

    kind: str
    what: str
    why: str
    container: str = ""


class Owners:
    """What systemd has loaded of nsunit's, and who is alive by that."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.units = {unit.name: unit for unit in _units(context)}
        self.active = [unit for unit in self.units.values() if is_busy(unit)]
        found = {_owner(unit.name) for unit in self.active if not is_abandoned(unit)}
        self.alive = {name for name in found if name}

    def is_idle(self, name: str) -> bool:
        """Whether nothing runs or listens by *name*, and no command is at work on it."""
        return name not in self.alive and not is_locked(f"{self.context.paths.locks}/{name}")

    def is_free(self, name: str) -> bool:
        """Whether *name* is nobody's now."""
        return name not in self.alive and not self.context.paths.is_enabled(name) and not self._may_come_back(name)

    def _may_come_back(self, name: str) -> bool:
        """Whether systemd could start it from what it has; or a command is at work on it."""
        units = (self.units.get(unit) for unit in (service_name(name), *former_units(name)))
        if any(unit is not None and unit.load_state == "loaded" for unit in units):
            return True
        return is_locked(f"{self.context.paths.locks}/{name}")


def _units(context: Context) -> list[UnitStatus]:
    """All of nsunit's units; anybody has systemd load a slice that it cannot list then, nor any other with it."""
    try:
        return context.bus.list_units(["nsunit-*"])
    except BusError as error:
        if error.name in NO_ANSWER:
            raise
    found = context.bus.list_units([f"nsunit-*.{kind}" for kind in ("service", "scope", "socket", "timer", "path")])
    slices = [f"{CGROUP_ROOT}{context.cgroup}/{ROOT_SLICE}"]
    while slices:
        directory = slices.pop()
        names = [name for name in files.list_directory(directory) if name.endswith(".slice")]
        slices += [f"{directory}/{name}" for name in names]
        for name in names:
            try:
                found += context.bus.list_units([name])
            except BusError as error:
                if error.name in NO_ANSWER:
                    raise
    return found


def is_busy(unit: UnitStatus) -> bool:
    """Whether *unit* runs, or is to begin or end something."""
    return unit.active_state not in _CALM or unit.job_path not in ("", "/")


def is_abandoned(unit: UnitStatus) -> bool:
    """Whether *unit* listens, or waits for a time, by a unit file that is gone: nobody ever ends that."""
    return is_busy(unit) and unit.load_state == "not-found" and unit.name.endswith(_WAITING)


def _owner(unit: str) -> str | None:
    """The container or pod that lives by *unit*."""
    if unit.endswith(".service") and (pod := pod_of_unit(unit)):
        return pod
    if unit.endswith((".service", ".scope")) and (name := container_of_unit(unit)):
        return name
    if unit.endswith(".scope"):  # a session may outlive its container
        name = unescape(unit[len("nsunit-") :].partition("-")[0])
        return name if is_valid_name(name) else None
    return container_of_listener(unit)


def is_locked(path: str) -> bool:
    """Whether somebody holds the lock file, or has the directory in use, that is *path*."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
