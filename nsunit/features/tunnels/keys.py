"""`Tunnel=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import container_name, is_digits
from nsunit.definition.values_container import target_path
from nsunit.definition.words import split, wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

PATH_MAX = 107  # sun_path less the NUL
_HINT = "e.g. db:DB for a link, db:5432 for a tunnel"


class Tunnel(Record):
    """One `Tunnel=`: *local*, a port or the path of a UNIX socket inside, leads to *port* of another *container*."""

    container: str
    port: int
    local: str


def tunnels(text: str) -> tuple[Tunnel, ...]:
    """`Tunnel=`: `NAME:PORT[:LOCAL]`, where LOCAL is a port or an absolute path."""
    found = []
    for word in split(text):
        name, colon, rest = word.partition(":")
        port, _, local = rest.partition(":")
        if not colon:
            raise wrong(word, "does not say which port it leads to", "use NAME:PORT, NAME:PORT:PORT or NAME:PORT:PATH")
        local = _place(local) if local else str(_port(port))
        found.append(Tunnel(container_name(name, _HINT), _port(port), local))
    return tuple(found)


def _place(text: str) -> str:
    if not text.startswith("/"):
        return str(_port(text, "use 1 to 65535, or an absolute path for a UNIX socket"))
    if len(text.encode()) > PATH_MAX:
        raise wrong(text, "is too long for a socket", f"use at most {PATH_MAX} bytes, unix(7)")
    return target_path(text)


def _port(text: str, hint: str = "use 1 to 65535") -> int:
    if not is_digits(text) or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise wrong(text, "is not a port", hint)
    return int(text)


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Tunnel": own(
            *(tunnels, True, "NAME:PORT[:PORT|:PATH]…"),
            *("Sockets inside that lead to a port of another container, in whatever network.", "db:5432"),
        ),
    }
}


def of(container: Container) -> tuple[Tunnel, ...]:
    """The tunnels of *container*."""
    found: tuple[Tunnel, ...] = container.extra("tunnels", ())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note them, each once."""
    found = dict.fromkeys(item for key, value in values if key == "Tunnel" for item in value)
    fields["extras"]["tunnels"] = tuple(found)


def check(container: Container, name: str, _service: object) -> list[Contradiction]:
    """What does not fit together; the network of a pod is another one's matter."""
    if container.uses("pods"):
        return []
    found: list[Contradiction] = []
    if name in (tunnel.container for tunnel in of(container)):
        found.append(("Tunnel", "a container cannot have a tunnel to itself", "name another container"))
    places = [tunnel.local for tunnel in of(container)]
    if len(set(places)) != len(places):
        found.append(("Tunnel", "two tunnels begin at the same place", "give one another port, as db:5432:15432"))
    if container.network == "host" and any(not place.startswith("/") for place in places):
        hint = "give the tunnel a path, as db:5432:/run/db.sock"
        found.append(("Tunnel", "the port would be the host's with Network=host", hint))
    if any(kind == "mnt" for kind, _ in container.namespaces) and any(place.startswith("/") for place in places):
        message = "nothing is made with MountNamespace=, its file systems are there already"
        found.append(("Tunnel", message, "give the tunnel a port"))
    return found
