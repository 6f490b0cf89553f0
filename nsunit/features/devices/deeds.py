"""The devices that are there."""

from __future__ import annotations

import os
import stat

from nsunit.features.devices.keys import Device, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container


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
        return "is a directory: name each device in it"
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        return "is not a device"
    user = os.geteuid()
    if user and not _opens(status, user, device.rights):
        return f"cannot be opened by user {user}, without the groups that a user's containers do not have"
    return ""


def _opens(status: os.stat_result, user: int, rights: str) -> bool:
    """Whether *user*, in no group, may open the device with *rights*."""
    wanted = ("r" in rights) * 4 | ("w" in rights) * 2
    return status.st_mode >> (6 if status.st_uid == user else 0) & wanted == wanted
