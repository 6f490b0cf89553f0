"""`Activation=` and `IdleStop=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import choice, usec
from nsunit.features.network.values import Listened, listened, listened_ports, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

# The protocols that systemd can listen for, by how the connections get in.
_PROTOCOLS = {"socket": ("tcp",), "fds": ("tcp", "udp")}

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Activation": own(
            *(choice("socket", "fds"), False, "socket|fds"),
            *("Have systemd listen on PublishPort=, and the first connection start it.", "socket"),
        ),
        "IdleStop": own(
            *(usec, False, "TIME"),
            *("Stop it after that long without a connection, with Activation=socket.", "5min"),
        ),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note what is said."""
    said = dict(values)
    fields["extras"]["activation"] = Listened(said.get("Activation", ""), said.get("IdleStop", 0))


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """What must hold with Activation= or IdleStop=, or ports that sockets carry."""
    how, idle_stop = listened(container).how, listened(container).idle_stop
    ports = of(container).published_ports
    found: list[Contradiction] = []
    if not how and idle_stop:
        found.append(("IdleStop", "IdleStop= is for Activation=socket", "add Activation=socket, or leave it out"))
    if not how:
        wrong = [port for port in listened_ports(container) if port.protocol != "tcp"]
        hint = "only TCP gets from ::1 into a container; publish it on another address, or for all"
        return found + [("PublishPort", f"{port} cannot be published", hint) for port in wrong]
    if idle_stop and how == "fds":
        hint = "let the program exit when it is idle, or use Activation=socket"
        found.append(("IdleStop", "nobody but the program knows the connections of Activation=fds", hint))
    if not ports:
        hint = "name the ports with PublishPort="
        found.append(("Activation", f"there is nothing to listen on for Activation={how}", hint))
    for port in ports:
        if port.protocol not in _PROTOCOLS[how]:
            hint = "use Activation=fds, which hands the socket in" if port.protocol == "udp" else "leave the port out"
            found.append(("PublishPort", f"{port} cannot be published with Activation={how}", hint))
            break
    everywhere = {(port.host, port.protocol) for port in ports if not port.address}
    for port in ports:
        if port.address and (port.host, port.protocol) in everywhere:
            hint = "leave out the one with the address"
            found.append(("PublishPort", f"{port} is published for all addresses as well", hint))
    if how == "socket" and container.network != "bridge":
        hint = "add Network=bridge, or use Activation=fds, which needs no network"
        found.append(("Activation", f"connections do not get in with Network={container.network}", hint))
    if how == "fds" and (container.init or container.uses("boot")):
        key = "Init" if container.init else "Boot"
        hint = f"leave out {key}=yes, or use Activation=socket"
        found.append(("Activation", f"the sockets would be handed to process 1, which {key}=yes makes another", hint))
    return found
