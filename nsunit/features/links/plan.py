"""The variables of `Link=`, by the names that Docker gave them."""

from __future__ import annotations

from nsunit.errors import LEAVE_TO_ROOT
from nsunit.features.links.keys import of
from nsunit.features.network.values import of as connected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.definition.model import Container


def needs(container: Container) -> dict[str, str]:
    """The containers that *container* is linked with, each with why that must run."""
    return {name: "it is linked with" for name, _ in of(container).links}


def ports_of(container: Container) -> tuple[tuple[int, str], ...]:
    """The ports that *container* says it serves, ExposedPort= and the inner ones of PublishPort=, sorted; TCP first."""
    found = {(port.container, port.protocol) for port in connected(container).published_ports}
    found |= set(of(container).exposed_ports)
    return tuple(sorted(found, key=lambda port: (port[1] != "tcp", port[1], port[0])))


def variables(name: str, alias: str, address: str, ports: Iterable[tuple[int, str]]) -> tuple[tuple[str, str], ...]:
    """What container *name* is told of the one it calls *alias*: DB_NAME, DB_PORT, DB_PORT_5432_TCP…"""
    prefix = "".join(char if char.isalnum() else "_" for char in alias.upper())
    found = [(f"{prefix}_NAME", f"/{name}/{alias}")]
    host = f"[{address}]" if ":" in address else address
    for place, (port, protocol) in enumerate(ports):
        url = f"{protocol}://{host}:{port}"
        if place == 0:
            found.append((f"{prefix}_PORT", url))
        one = f"{prefix}_PORT_{port}_{protocol.upper()}"
        parts = (("", url), ("_ADDR", address), ("_PORT", str(port)), ("_PROTO", protocol))
        found += [(one + suffix, value) for suffix, value in parts]
    return tuple(found)


def without_root(container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    if not of(container).links:
        return []
    return [("[Container] Link= takes root, as a user's containers share no network and no namespace", LEAVE_TO_ROOT)]
