"""`Link=` and `ExposedPort=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import container_name
from nsunit.definition.words import split
from nsunit.features.names.values import host_name
from nsunit.features.network.values import host_ports
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

_HINT = "e.g. db:DB for a link, db:5432 for a tunnel"


class Links(Record):
    """Those it is linked with, `(container, alias)`, and the `(port, protocol)` that who links with it is told."""

    links: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[tuple[int, str], ...] = ()


def links(text: str) -> tuple[tuple[str, str], ...]:
    """`Link=`: `NAME[:ALIAS]`."""
    found = []
    for word in split(text):
        name, colon, alias = word.partition(":")
        found.append((container_name(name, _HINT), host_name(alias) if colon else name))
    return tuple(found)


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Link": own(
            *(links, True, "NAME[:ALIAS]…"),
            *("Containers of its networks that run before it and as long as it; it gets variables for them.", "db:DB"),
        ),
        "ExposedPort": own(
            *(host_ports, True, "PORT[/PROTOCOL]…"),
            *("Ports it serves, told to containers that are linked with it.", "5432"),
        ),
    }
}


def of(container: Container) -> Links:
    """What *container* says of them."""
    found: Links = container.extra("links", Links())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note what is said; each thing once."""
    linked = dict.fromkeys(item for key, value in values if key == "Link" for item in value)
    exposed = dict.fromkeys(item for key, value in values if key == "ExposedPort" for item in value)
    fields["extras"]["links"] = Links(tuple(linked), tuple(exposed))


def aliases(container: Container) -> tuple[tuple[str, str], ...]:
    """What it calls others: `(container, alias)`."""
    return of(container).links


def check(container: Container, name: str, _service: object) -> list[Contradiction]:
    """What does not fit together; the network of a pod is another one's matter."""
    linked = of(container).links
    if container.uses("pods"):
        return []
    found: list[Contradiction] = []
    if linked and container.network != "bridge":
        message = f"it shares no network with anybody with Network={container.network}"
        found.append(("Link", message, "add Network=bridge, or use Tunnel="))
    if name in (other for other, _ in linked):
        found.append(("Link", "a container cannot be linked with itself", "name another container"))
    upper = [alias.upper() for _, alias in linked]
    if len(set(upper)) != len(upper):
        found.append(("Link", "two containers are linked by the same alias", "give each another one, as db:DB"))
    return found
