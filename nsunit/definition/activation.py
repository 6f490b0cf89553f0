"""What must hold in a definition with Activation= or IdleStop=, or ports that sockets carry."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container

# The protocols that systemd can listen for, by how the connections get in.
_PROTOCOLS = {"socket": ("tcp",), "fds": ("tcp", "udp")}


def contradictions(container: Container) -> list[tuple[str, str, str]]:
    """Return what does not fit together, as (key to blame, message, hint)."""
    how = container.activation
    found = []
    if not how and container.idle_stop:
        found.append(("IdleStop", "IdleStop= is for Activation=socket", "add Activation=socket, or leave it out"))
    if not how:
        wrong = [port for port in container.listened_ports if port.protocol != "tcp"]
        hint = "only TCP gets from ::1 into a container; publish it on another address, or for all"
        return found + [("PublishPort", f"{port} cannot be published", hint) for port in wrong]
    if container.idle_stop and how == "fds":
        hint = "let the program exit when it is idle, or use Activation=socket"
        found.append(("IdleStop", "nobody but the program knows the connections of Activation=fds", hint))
    if not container.published_ports:
        hint = "name the ports with PublishPort="
        found.append(("Activation", f"there is nothing to listen on for Activation={how}", hint))
    for port in container.published_ports:
        if port.protocol not in _PROTOCOLS[how]:
            hint = "use Activation=fds, which hands the socket in" if port.protocol == "udp" else "leave the port out"
            found.append(("PublishPort", f"{port} cannot be published with Activation={how}", hint))
            break
    everywhere = {(port.host, port.protocol) for port in container.published_ports if not port.address}
    for port in container.published_ports:
        if port.address and (port.host, port.protocol) in everywhere:
            hint = "leave out the one with the address"
            found.append(("PublishPort", f"{port} is published for all addresses as well", hint))
    if how == "socket" and container.network != "bridge":
        hint = "add Network=bridge, or use Activation=fds, which needs no network"
        found.append(("Activation", f"connections do not get in with Network={container.network}", hint))
    if how == "fds" and (container.init or container.boot):
        key = "Init" if container.init else "Boot"
        hint = f"leave out {key}=yes, or use Activation=socket"
        found.append(("Activation", f"the sockets would be handed to process 1, which {key}=yes makes another", hint))
    return found
