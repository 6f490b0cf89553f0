"""What a device becomes: a step of the set-up, and a rule of the unit.  Pure."""

from __future__ import annotations

from nsunit.features.devices.keys import RIGHTS, of
from nsunit.features.devices.setup import Device
from nsunit.plan.units import Directive
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container


def mounts(container: Container, _facts: object) -> list[Device]:
    """A node for each."""
    return [Device(item.source, item.target, ("optional",) if item.optional else ()) for item in of(container)]


def access(container: Container) -> list[Directive]:
    """That they may be used; the helper makes the nodes, which is the right `m`, as a part of the unit."""
    allowed = [
        (item.source, "".join(right for right in RIGHTS if right in item.rights + "m")) for item in of(container)
    ]
    return [
        Directive("Service", "DeviceAllow", f"{path} {rights}", Property("DeviceAllow", "a(ss)", ((path, rights),)))
        for path, rights in allowed
    ]
