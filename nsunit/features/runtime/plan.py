"""What systemd does when the time of a container is up.  Pure."""

from __future__ import annotations

from nsunit.plan.units import Directive, command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def commands(definition: Definition, facts: Facts) -> list[Directive]:
    """A process 1 without a handler would ignore its stop signal, and go on until TimeoutStopSec= is over as well."""
    program: str = facts.extra("runtime")
    argv = (facts.interpreter, "-SI", program, "features.runtime.program", str(definition.container.stop_signal))
    return [command("ExecStop", argv, may_fail=True)]
