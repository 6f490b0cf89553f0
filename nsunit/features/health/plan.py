"""The timer that has a container checked, and the service that it starts.

The service is beside the container, not in its slice: systemd starts nothing where that is frozen, and tries again at
once.  Its program puts the command into a control group of its own below the container's service, where the
container's limits, access rules and end are the command's as well, and where nothing runs while it is frozen.  A scope
for each check would fill the journal, since systemd tells of every one.

The timer starts with the container and ends with it.  The service refers to the container by nothing: whatever does
could make a check start it again.
"""

from __future__ import annotations

from nsunit.features.health.keys import of
from nsunit.features.health.setup import Health
from nsunit.names import health_service, health_timer, service_name, slice_name, slice_path
from nsunit.plan.scope import OF_PROCESSES
from nsunit.plan.units import Directive, Listeners, command, directive
from nsunit.record import Record
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

_ACCURACY_USEC = 50_000  # systemd's own is a minute
_GRACE_USEC = 30_000_000  # for what the program does besides
_NO_LIMIT = Directive("Unit", "StartLimitIntervalSec", "0", Property("StartLimitIntervalUSec", "t", 0))
_NOTICE = 5  # of syslog(3): what systemd tells of each start is below


class HealthFacts(Record):
    """The program of checks, and the word for whose systemd it is: `system` or `user`."""

    program: str = ""
    manager: str = "system"


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned*, with how to check what it starts."""
    check = of(container)
    if not check.command:
        return planned
    health = Health(
        "yes" if container.waits_for_health else "",
        check.on_failure,
        *map(str, (check.interval, check.timeout, check.retries, check.start_period, check.start_interval)),
        check.command,
    )
    return [*planned[:-1], health, planned[-1]]


def relations(definition: Definition) -> tuple[Directive, ...]:
    """What the container's own service needs in addition: its timer."""
    return (_names("Wants", health_timer(definition.name)),) if of(definition.container).command else ()


def listeners(definition: Definition, facts: Facts) -> Listeners:
    """The units beside it."""
    found = []
    for name, lines in health_directives(definition, facts).items():
        more = handed_down(definition) if name.endswith(".service") else ()
        found.append(Unit(name, (*(item.property for item in lines), *more)))
    return Listeners(tuple(found))


def health_directives(definition: Definition, facts: Facts) -> dict[str, tuple[Directive, ...]]:
    """The directives of the timer and of the service of *definition*, by unit."""
    if not of(definition.container).command:
        return {}
    timer = health_timer(definition.name)
    return {timer: _timer(definition), health_service(definition.name): _service(definition, facts)}


def _timer(definition: Definition) -> tuple[Directive, ...]:
    container, service = definition.container, service_name(definition.name)
    interval = of(container).interval
    return (
        directive("Unit", "Description", f"When to check the health of container {definition.name}", "s"),
        _names("BindsTo", service),
        # What is to be ready only when it is healthy has to be checked before.
        *(() if container.waits_for_health else (_names("After", service),)),
        _NO_LIMIT,  # it starts as often as the container does, which has one of its own
        _monotonic("OnActiveSec", 0),
        _monotonic("OnUnitActiveSec", interval),
        Directive("Timer", "AccuracySec", f"{_ACCURACY_USEC}us", Property("AccuracyUSec", "t", _ACCURACY_USEC)),
    )


def _monotonic(key: str, value: int) -> Directive:
    return Directive("Timer", key, f"{value}us", Property("TimersMonotonic", "a(st)", ((key, value),)))


def _service(definition: Definition, facts: Facts) -> tuple[Directive, ...]:
    name, check = definition.name, of(definition.container)
    known: HealthFacts = facts.extra("health", HealthFacts())
    service = service_name(name)
    group = f"{facts.cgroup}{slice_path(slice_name(name, definition.container.slice))}/{service}"
    program = (facts.interpreter, "-SI", known.program, "features.health.program")
    argv = (*program, facts.runtime_directory, group, service, known.manager)
    patience = check.interval + check.timeout + _GRACE_USEC
    return (
        directive("Unit", "Description", f"Check the health of container {name}", "s"),
        directive("Unit", "CollectMode", "inactive-or-failed", "s"),
        _NO_LIMIT,
        directive("Service", "Type", "oneshot", "s"),
        command("ExecStart", argv),
        # It tells of the container's being ready from inside of that, and needs to know where.
        directive("Service", "NotifyAccess", "all", "s"),
        Directive("Service", "TimeoutStartSec", f"{patience}us", Property("TimeoutStartUSec", "t", patience)),
        Directive("Service", "KillSignal", "9", Property("KillSignal", "i", 9)),
        Directive("Service", "LogLevelMax", "notice", Property("LogLevelMax", "i", _NOTICE)),
        directive("Service", "SyslogIdentifier", name, "s"),
    )


def handed_down(definition: Definition) -> tuple[Property, ...]:
    """What [Service] says of processes: the service of checks hands it down to the command."""
    keys = {key for key, _ in handed_down_texts(definition)}
    found = definition.properties_of("Service")
    return tuple(item for item in found if item.name.removesuffix("Soft").removesuffix("FromNUMA") in keys)


def handed_down_texts(definition: Definition) -> list[tuple[str, str]]:
    """The same as lines of a unit file."""
    texts = definition.texts_of("Service")
    return [(key, text) for key, text in texts if key in OF_PROCESSES or key.startswith("Limit")]


def _names(key: str, unit: str) -> Directive:
    return Directive("Unit", key, unit, Property(key, "as", (unit,)))
