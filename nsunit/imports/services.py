"""What services of systemd's say, in the sections of a definition: limits are the slice's."""

from __future__ import annotations

from nsunit.definition.setting import keys_of
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, str], None]

# Rules about devices are about what runs, and accounting is on.
_OF_SERVICE = frozenset(("DeviceAllow", "DevicePolicy"))
_ACCOUNTING = frozenset(f"{name}Accounting" for name in ("CPU", "IO", "IP", "Memory", "Tasks", "BlockIO"))


def take(target: Target, section: str, key: str, value: str) -> None:
    """Add a key of a unit file, verbatim; what nsunit refuses is told by the check."""
    if section == "Service" and key in _ACCOUNTING:
        return
    if section == "Service" and key in keys_of("Slice") and key not in _OF_SERVICE:
        section = "Slice"
    target.say(key, value, section)


def lost(reason: str, instead: str) -> Handler:
    """What refuses a value."""

    def refuse(_target: Target, _text: str) -> None:
        raise NotCarried(reason, instead)

    return refuse


def verbatim(key: str, section: str = "") -> Handler:
    """What adds a value as *key* of *section*."""
    return lambda target, text: target.plain(key, text, section)


def nothing(_target: Target, _text: str) -> None:
    """It is so anyway, or about the call and not about the container."""


HOOKS_REASON = "hooks do not run"
HOOKS = {
    "after": "use [Service] ExecStartPost=, which runs on the host",
    "before": "use [Service] ExecStartPre=, which runs on the host",
    "end": "use [Service] ExecStopPost=, which runs on the host",
    "inside": "use Exec=/bin/sh -c 'HOOK && exec PROGRAM', or a service inside",
    "mounts": "use Bind=, Volume= or Tmpfs=; [Service] ExecStartPre= runs on the host",
}
