"""The devices that are there."""

from __future__ import annotations

import os
import stat

from nsunit.features.devices.keys import Device, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition


def expand(definition: Definition) -> Definition:
    """*definition* with each directory's devices in its place, all below it, as they are now.

    What has a target of its own is not among them.  A directory without a device stays: it is a mistake.
    """
    container = definition.container
    taken = {item.target for items in (container.binds, container.tmpfs, of(container)) for item in items}
    found: list[Device] = []
    for item in of(container):
        below = [device for device in _below(item) if device.target not in taken]
        taken |= {device.target for device in below}
        found += below or [item]
    return definition.replace(container=container.with_extra("devices", tuple(found)))


def foreground(_context: object, definition: Definition) -> Definition:
    """The same for a container that is a scope."""
    return expand(definition)


def _below(directory: Device) -> list[Device]:
    """The devices below *directory*, as far as that is one; links in it are not followed."""
    paths = sorted(f"{place}/{name}" for place, _, names in os.walk(directory.source) for name in names)
    return [
        directory.replace(source=path, target=directory.target + path.removeprefix(directory.source), optional=True)
        for path in paths
        if _is_device(os.lstat(path).st_mode)
    ]


def _is_device(mode: int) -> bool:
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def missing_sources(container: Container) -> list[str]:
    """Which of the devices have to be there and are not, are something else, or are not the caller's to use."""
    return [f"Device=: '{item.source}' {reason}" for item in of(container) if (reason := _mistake(item))]


def _mistake(device: Device) -> str:
    try:
        status = os.stat(device.source)
    except FileNotFoundError:
        return "" if device.optional else "does not exist"
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    if stat.S_ISDIR(status.st_mode):
        return "" if device.optional else "is a directory without a device in it"
    if not _is_device(status.st_mode):
        return "is not a device"
    user = os.geteuid()
    if user and not _opens(status, user, device.rights):
        return f"cannot be opened by user {user}, without the groups that a user's containers do not have"
    return ""


def _opens(status: os.stat_result, user: int, rights: str) -> bool:
    """Whether *user*, in no group, may open the device with *rights*."""
    wanted = ("r" in rights) * 4 | ("w" in rights) * 2
    return status.st_mode >> (6 if status.st_uid == user else 0) & wanted == wanted
