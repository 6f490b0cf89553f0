"""What a system inside needs of the host."""

from __future__ import annotations

from nsunit.features.boot.plan import machine_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts

# How reboot(2) in a PID namespace ends its process 1, by SIGINT or SIGHUP, and what systemd-nspawn exits with then.
_REBOOTS = {128 + 2: 0, 128 + 1: 133}


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the machine id that it has inside."""
    return facts.with_extra("boot", machine_id(context.host.machine_id, definition.name))


def foreground(_context: Context, definition: Definition) -> Definition:
    """*definition* for a foreground run: the notify socket is there only where systemd has given the unit one."""
    return definition.replace(container=definition.container.replace(notify=False))


def exit_status(status: int) -> int:
    """What a foreground run exits with when process 1 has ended with *status*."""
    return _REBOOTS.get(status, status)


def signal_for(definition: Definition, _number: int) -> int:
    """The signal to hand on: to a whole system inside others mean something else than to end."""
    return definition.container.stop_signal
