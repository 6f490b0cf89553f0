"""What a connected container has in its units and its set-up.  Pure."""

from __future__ import annotations

from nsunit.features.names.plan import FILES
from nsunit.features.network.model.attachment import attached_path
from nsunit.features.network.model.server import unit_of
from nsunit.features.network.setup import PROGRAM, Network, NetworkFiles
from nsunit.features.network.values import of
from nsunit.plan.units import Directive, command, relation
from nsunit.record import Record
from nsunit.setup.mounts import Bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation


class NetworkFacts(Record):
    """What attaches a container to its networks: *program*, as the file in *directory* says, with a lock in *locks*.

    *served* are those of its networks whose names a server tells.
    """

    program: str
    directory: str
    locks: str
    served: tuple[str, ...] = ()


def commands(definition: Definition, facts: Facts) -> list[Directive]:
    """What detaches it, however it has ended, and what has to be there; systemd removes the directories after that."""
    network: NetworkFacts | None = facts.extra("network")
    if network is None:
        return []
    nsunit = network.program.rpartition("/")[0]
    argv = (
        *("/bin/sh", f"{nsunit}/features/network/detach.sh", attached_path(definition.name, network.locks)),
        *(facts.interpreter, "-SI", network.program, PROGRAM, "detach", network.directory, network.locks),
    )
    servers = beside(facts)
    return [command("ExecStopPost", argv), *(relation(key, servers) for key in ("Wants", "After") if servers)]


def beside(facts: Facts) -> tuple[str, ...]:
    """The units that it wants to be there before it, and that go when nobody does: servers of names."""
    network: NetworkFacts | None = facts.extra("network")
    return tuple(unit_of(name) for name in network.served) if network else ()


def connects(definition: Definition, facts: Facts) -> list[Operation]:
    """The operation that attaches it, and the one that tells a system inside."""
    network: NetworkFacts | None = facts.extra("network")
    if network is None:
        return []
    attach = Network(facts.interpreter, network.program, network.directory, network.locks)
    return [NetworkFiles(network.directory), attach] if definition.container.uses("boot") else [attach]


def mounts(_container: Container, facts: Facts) -> list[Bind]:
    """The files that tell of its networks."""
    network: NetworkFacts | None = facts.extra("network")
    if network:
        return files_of(network.directory)
    # Those of a container whose network it joins stay that one's root's.
    leaders: tuple[tuple[str, str], ...] = facts.extra("network-joined", ())
    return [Bind(source, target, ("ro", "optional", "spare")) for source, target in leaders]


def files_of(directory: str) -> list[Bind]:
    """Those of the network directory *directory*."""
    return [Bind(f"{directory}/{name}", target, ("ro", "roots")) for name, target in FILES]


def without_root(container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    if container.network != "bridge":
        return []
    first = of(container).connections[0]
    return [(f"[Container] Network={first} is for containers of the system", "use Network=pasta")]
