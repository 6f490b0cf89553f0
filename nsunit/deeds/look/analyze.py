"""Where the time of the last starts went: what the command, systemd and the helper have noted, put together."""

from __future__ import annotations

from nsunit.core.running import find_running
from nsunit.deeds.look.listing import container_names
from nsunit.errors import NotFoundError
from nsunit.names import is_pod, service_name
from nsunit.plan.timing import PROPERTIES, Timing, compare, read_marks, timing
from nsunit.storage.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def analyze(context: Context, name: str) -> Timing:
    """The last start of the running container *name*.

    Raises:
        NotFoundError: it does not run, or its start has left no marks.
    """
    running = find_running(context, name)
    found = _timing(context, name)
    if found is None:
        if running.unit.endswith(".scope"):
            raise NotFoundError(f"{name}: it runs in the foreground, where no times are noted")
        raise NotFoundError(
            f"{name}: its start has noted no times",
            hint=f"an older nsunit has started it; 'nsunit restart {name}' does it anew",
        )
    return found


def analyze_last(context: Context) -> Timing:
    """The start of the running container that became active last.

    Raises:
        NotFoundError: there is none.
    """
    active = {}
    for name in _names(context):
        active[name] = context.bus.get(service_name(name), PROPERTIES[2]).get(PROPERTIES[2]) or 0
    if not any(active.values()):
        raise NotFoundError("no container is running", hint="start one: nsunit start NAME")
    return analyze(context, max(active, key=lambda name: int(str(active[name]))))


def analyze_all(context: Context) -> list[Timing]:
    """The last starts of all running containers, with what is unusual; those without marks are left out."""
    found = [_timing(context, name) for name in _names(context)]
    return compare([item for item in found if item is not None])


def _names(context: Context) -> list[str]:
    return [name for name in container_names(context) if not is_pod(name)]


def _timing(context: Context, name: str) -> Timing | None:
    runtime = context.paths.runtime_of(name)
    marks = read_marks(read_file(f"{runtime}/marks"))
    if not marks:
        return None
    properties = context.bus.get(service_name(name), *PROPERTIES)
    return timing(name, read_marks(read_file(f"{runtime}/asked")), marks, properties)
