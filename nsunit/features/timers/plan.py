"""What is started in place of a container that has a timer.  Pure."""

from __future__ import annotations

from nsunit.names import timer_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition


def entry(definition: Definition) -> tuple[str, str]:
    """The timer, and what starts timers at boot."""
    return timer_name(definition.name), "timers.target"
