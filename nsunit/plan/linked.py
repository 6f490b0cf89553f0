"""The variables of `Link=`, by the names that Docker gave them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.definition.model import Container


def ports_of(container: Container) -> tuple[tuple[int, str], ...]:
    """The ports that *container* says it serves, ExposedPort= and the inner ones of PublishPort=, sorted; TCP first."""
    found = {(port.container, port.protocol) for port in container.published_ports}
    if container.names:
        found |= set(container.names.exposed_ports)
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
