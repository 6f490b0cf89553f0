"""What a container with `Output=pipe` has besides.  Pure."""

from __future__ import annotations

from nsunit.definition.model import shared_kinds
from nsunit.features.output.setup import LOCK, Pipes
from nsunit.plan import operations as plan
from nsunit.plan.units import Directive, command, directive
from nsunit.setup.namespaces import Subgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

SUBGROUP = "output"
WAIT_SECONDS = 5  # less than TimeoutStopSec=


def operations(planned: list[Operation], _container: Container, _facts: object) -> list[Operation]:
    """*planned*, with the pipes."""
    delegated = any(isinstance(item, Subgroup) for item in planned)
    return [*planned[:-1], Pipes(SUBGROUP if delegated else ""), planned[-1]]


def commands(_definition: Definition, facts: Facts) -> list[Directive]:
    """What waits until all that was written is in the journal; the carrier has the lock as long as it lives."""
    lock = f"{facts.runtime_directory}/{LOCK}"
    wait = ("/usr/bin/flock", "--timeout", str(WAIT_SECONDS), lock, "/bin/true")
    return [command("ExecStopPost", wait, may_fail=True)]


def directives(definition: Definition, facts: Facts) -> list[Directive]:
    """systemd is not to kill the carrier when the program has ended, which may have said why just before.

    All others end with the program, process 1 of their PID namespace, without systemd.  Where that is not the
    container's own, or a process of nsunit's stays beside it, they are systemd's business as ever.
    """
    if "pid" in shared_kinds(definition.container):
        return []
    if any(item.leaves_process for item in plan.operations(definition, facts)):
        return []
    return [directive("Service", "KillMode", "process", "s")]
