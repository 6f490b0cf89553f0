"""Scopes: one for each command that is executed in a container, and for a container that runs in the foreground.

systemd does not start what is in a scope, so the caller's own child is put into it by PID.
"""

from __future__ import annotations

from nsunit.definition.setting import lookup
from nsunit.errors import UsageError
from nsunit.names import scope_name, slice_name
from nsunit.plan.setup import is_delegated
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from nsunit.definition.model import Definition

# What a service may not touch, its sessions may not either.  The kernel attaches these rules to the service's cgroup,
# and a session's scope stands beside that.
_INHERITED = {
    "DeviceAllow": "a(ss)",
    "DevicePolicy": "s",
    "IPAddressAllow": "a(iayu)",
    "IPAddressDeny": "a(iayu)",
    "RestrictNetworkInterfaces": "(bas)",
    "SocketBindAllow": "a(iiqq)",
    "SocketBindDeny": "a(iiqq)",
}
# Of [Service], what a scope has as well besides resource control: systemd.scope(5), systemd.kill(5).
_OF_SCOPES = ("KillMode", "SendSIGHUP", "SendSIGKILL", "FinalKillSignal", "TimeoutStopSec", "RuntimeMaxSec")
_STOP_USEC = 10_000_000


def exec_scope(name: str, slice_: str, description: str, pid: int, service: Mapping[str, object]) -> Unit:
    """The scope *name* for process *pid*, under the same access rules as the properties of *service* say."""
    inherited = []
    for key, signature in _INHERITED.items():
        value = _frozen(service.get(key))
        if value not in (None, (), (False, ())):
            inherited.append(Property(key, signature, value))
    return Unit(
        name,
        (
            Property("Description", "s", description),
            Property("Slice", "s", slice_),
            Property("CollectMode", "s", "inactive-or-failed"),
            Property("TimeoutStopUSec", "t", _STOP_USEC),
            # A shell in a terminal ignores SIGTERM; it ends when its terminal hangs up.
            Property("SendSIGHUP", "b", True),
            *inherited,
            Property("PIDs", "au", (pid,)),
        ),
    )


def run_scope(definition: Definition, token: str) -> Unit:
    """The scope of a foreground container, still without the PID that goes into it.

    Raises:
        UsageError: the definition has a [Service] key that only a service can have.
    """
    for key, _ in definition.texts_of("Service"):
        setting = lookup("Service", key)
        if key not in _OF_SCOPES and not (setting and setting.live) and key != "Delegate":
            raise UsageError(f"[Service] {key}= needs a service", hint="run it in the background with --detach")
    properties = [
        Property("Description", "s", f"Container {definition.name}"),
        Property("Slice", "s", slice_name(definition.name)),
        Property("CollectMode", "s", "inactive-or-failed"),
        Property("KillSignal", "i", definition.container.stop_signal),
        Property("TimeoutStopUSec", "t", _STOP_USEC),
        Property("TasksMax", "t", 1024),
        Property("DevicePolicy", "s", "closed"),
    ]
    if is_delegated(definition):
        properties.append(Property("Delegate", "b", True))
    return Unit(
        scope_name(definition.name, "run", token),
        (*properties, *definition.properties_of("Unit"), *definition.properties_of("Service")),
    )


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
