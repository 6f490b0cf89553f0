"""`Device=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import plain_path
from nsunit.definition.values_container import target_path
from nsunit.definition.words import fields, split, wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

RIGHTS = "rwm"
_HINT = "use SOURCE[:TARGET][:RIGHTS], e.g. /dev/ttyUSB0:/dev/modem:rw"


class Device(Record):
    """One `Device=` item.

    *rights* are letters of RIGHTS in its order, systemd.resource-control(5).  *optional*: a missing one is skipped.
    """

    source: str
    target: str
    rights: str = RIGHTS
    optional: bool = False


def devices(text: str) -> tuple[Device, ...]:
    """`[-]SOURCE[:TARGET][:RIGHTS]…`."""
    return tuple(map(_device, split(text, keep_escapes=True)))


def _device(word: str) -> Device:
    source, *parts = fields(word)
    rights = parts.pop() if parts and not parts[-1].startswith("/") else ""
    if len(parts) > 1:
        raise wrong(word, "is not a device", _HINT)
    if not set(rights) <= set(RIGHTS) or len(set(rights)) != len(rights):
        raise wrong(rights, "is neither a path nor rights to a device", _HINT)
    path = plain_path(source.removeprefix("-"))
    if not path.startswith("/dev/"):
        raise wrong(path, "is not a device node", "use a path below /dev")
    ordered = "".join(letter for letter in RIGHTS if letter in rights)
    target = target_path(parts[0]) if parts else path
    return Device(path, target, ordered or RIGHTS, source.startswith("-"))


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Device": own(
            *(devices, True, "[-]SOURCE[:TARGET][:RIGHTS]…"),
            *(
                "Devices of the host, also all in a directory, with nodes of its own; rights as in DeviceAllow=.",
                "/dev/ttyUSB0:rw",
            ),
        ),
    }
}


def of(container: Container) -> tuple[Device, ...]:
    """The devices of *container*."""
    found: tuple[Device, ...] = container.extra("devices", ())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note them."""
    fields["extras"]["devices"] = tuple(item for key, items in values if key == "Device" for item in items)


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """A node needs a place of its own, in a root that is set up here."""
    chosen = dict(container.namespaces).get("mnt")
    if chosen is not None:
        message = f"nothing is mounted with MountNamespace={chosen}, its file systems are there already"
        return [("Device", message, "leave it out, or use MountNamespace=private")]
    found = []
    taken = {item.target for item in container.binds} | {item.target for item in container.tmpfs}
    for device in of(container):
        if device.target in taken:
            found.append(("Device", f"'{device.target}' is mounted on twice", "the second mount would hide the first"))
        taken.add(device.target)
    return found
