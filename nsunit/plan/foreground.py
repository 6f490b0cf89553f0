"""The scope of a container that runs in the foreground."""

from __future__ import annotations

from nsunit.definition.setting import lookup
from nsunit.errors import UsageError
from nsunit.features import hooks
from nsunit.names import scope_name, slice_name
from nsunit.plan.operations import is_delegated
from nsunit.plan.scope import STOP_USEC
from nsunit.plan.units import needed_services
from nsunit.units import INFINITY, Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition

# Of [Service], what a scope has as well besides resource control: systemd.scope(5), systemd.kill(5).
_OF_SCOPES = ("KillMode", "SendSIGHUP", "SendSIGKILL", "FinalKillSignal", "TimeoutStopSec", "RuntimeMaxSec")


def run_scope(definition: Definition, token: str) -> Unit:
    """The scope of a foreground container, still without the PID that goes into it.

    Raises:
        UsageError: the definition has a [Service] key that only a service can have.
    """
    for key, _ in definition.texts_of("Service"):
        setting = lookup("Service", key)
        if key not in _OF_SCOPES and not (setting and setting.live) and key != "Delegate":
            raise UsageError(f"[Service] {key}= needs a service", hint="run it in the background with --detach")
    if definition.container.notify:
        raise UsageError("[Container] Notify= needs a service", hint="run it in the background with --detach")
    if any(item.name == "StopWhenUnneeded" and item.value for item in definition.properties_of("Unit")):
        raise UsageError(
            "[Unit] StopWhenUnneeded= stops it at once, as nothing can need it", hint="leave it out in the foreground"
        )
    properties = [
        Property("Description", "s", f"Container {definition.name}"),
        Property("Slice", "s", slice_name(definition.name, definition.container.slice)),
        Property("CollectMode", "s", "inactive-or-failed"),
        Property("KillSignal", "i", definition.container.stop_signal),
        Property("TimeoutStopUSec", "t", STOP_USEC),
        Property("TasksMax", "t", INFINITY),
        Property("DevicePolicy", "s", "closed"),
    ]
    if is_delegated(definition):
        properties.append(Property("Delegate", "b", True))
    for access in hooks(definition.container.features, "plan.access"):
        properties += [item.property for item in access(definition.container)]
    services = needed_services(definition.container)
    properties += [Property(key, "as", services) for key in ("After", "BindsTo") if services]
    return Unit(
        scope_name(definition.name, "run", token),
        (*properties, *definition.properties_of("Unit"), *definition.properties_of("Service")),
    )
