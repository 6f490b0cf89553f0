"""pasta(1) in the set-up of a container.  Pure."""

from __future__ import annotations

from nsunit.features.names import plan as names
from nsunit.features.names.hosts import PASTA_SERVER
from nsunit.features.network.values import of
from nsunit.features.pasta.setup import Pasta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.definition.model import Container, Definition
    from nsunit.features.network.model.port import Port
    from nsunit.plan.facts import Facts
    from nsunit.setup.mounts import Bind
    from nsunit.setup.operation import Operation


def connects(definition: Definition, facts: Facts) -> list[Operation]:
    """The operation that starts it; `facts` have the program."""
    ports = forwards(of(definition.container).published_ports)
    return [Pasta(facts.extra("pasta"), (*ports, "--dns-forward", PASTA_SERVER))]


def mounts(container: Container, facts: Facts) -> list[Bind]:
    """The resolv.conf that was made for it, unless `names` brings that anyway."""
    return [] if container.uses("names") else names.mounts(container, facts)


def forwards(ports: Sequence[Port]) -> tuple[str, ...]:
    """The options of pasta(1) that lead *ports* of the host into the container."""
    found: list[str] = []
    for port in ports:
        address = port.address + "/" if port.address else ""
        found += ["-t" if port.protocol == "tcp" else "-u", f"{address}{port.host}:{port.container}"]
    return tuple(found)
