"""`Health=`, `HealthInterval=` and the like of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import choice, number, usec
from nsunit.definition.values_container import command
from nsunit.definition.words import wrong
from nsunit.record import Record
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row
    from nsunit.units import Property

_SECOND = 1_000_000
SHORTEST = 100_000  # µs: each check is a process
# An image is somebody else's, and the host's half of a check is outside of the container's limits.
SHORTEST_OF_IMAGE = 1_000_000
LONGEST = 30 * 86_400 * _SECOND


class Check(Record):
    """How a container is checked; times in µs.  An empty *command* is no check.

    *says* are the keys of the definition, which come before what an image says.
    """

    command: tuple[str, ...] = ()
    interval: int = 30 * _SECOND
    timeout: int = 30 * _SECOND
    retries: int = 3
    start_period: int = 0
    start_interval: int = _SECOND
    on_failure: str = "none"
    says: frozenset[str] = frozenset()


def health(text: str) -> tuple[str, ...]:
    """A command line, as that of Exec=, or `no`."""
    words = () if text == "no" else command(text)
    if words[:1] in (("CMD",), ("CMD-SHELL",)):  # the first word in a Containerfile's HEALTHCHECK
        raise wrong(words[0], "is no program", "Health= is the command alone; sh -c '…' is one for a shell")
    return words


def duration(least: int) -> Callable[[str], int]:
    """A time of at least *least* µs."""

    def parse(text: str) -> int:
        value = usec(text)
        if value == INFINITY or value > LONGEST:
            raise wrong(text, "is too long", "leave out Health= where nothing is to be checked")
        if value < least:
            raise wrong(text, "is too short", f"at least {least // 1000}ms")
        return value

    return parse


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Health": own(
            *(health, False, "COMMAND|no"),
            *("Command whose exit status tells whether the container is well; no: none, even if the image has one.",),
            *("/usr/bin/pg_isready -q",),
        ),
        "HealthInterval": own(duration(SHORTEST), False, "TIME", "How often it is run; 30s unless given.", "10s"),
        "HealthTimeout": own(
            *(duration(SHORTEST), False, "TIME"),
            *("How long it may take, before it is killed and has failed; 30s unless given.", "5s"),
        ),
        "HealthRetries": own(
            *(number(1, 1000), False, "NUMBER"),
            *("After how many failures in a row the container is unhealthy; 3 unless given.", "5"),
        ),
        "HealthStartPeriod": own(
            duration(0), False, "TIME", "How long after a start failures do not count; 0 unless given.", "1min"
        ),
        "HealthStartInterval": own(
            *(duration(SHORTEST), False, "TIME"),
            *("How often it is tried until the container was healthy once; 1s unless given.", "250ms"),
        ),
        "HealthOnFailure": own(
            *(choice("none", "restart", "stop", "kill"), False, "none|restart|stop|kill"),
            *("What becomes of an unhealthy container; with kill, Restart= of [Service] decides.", "restart"),
        ),
    }
}
_FIELDS = {
    "Health": "command",
    "HealthInterval": "interval",
    "HealthTimeout": "timeout",
    "HealthRetries": "retries",
    "HealthStartPeriod": "start_period",
    "HealthStartInterval": "start_interval",
    "HealthOnFailure": "on_failure",
}


def of(container: Container) -> Check:
    """How *container* is checked."""
    found: Check = container.extra("health", Check())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note what is said."""
    said = {key: value for key, value in values if key in _FIELDS}
    changes = {_FIELDS[key]: value for key, value in said.items()}
    fields["extras"]["health"] = Check(**changes, says=frozenset(said))


def with_image(container: Container, healthcheck: dict[str, Any]) -> Container:
    """*container* with what its image says of its health, fields of `Check`, where it says nothing itself."""
    check = of(container)
    if not healthcheck or ("Health" in check.says and not check.command):
        return container
    if "Health" in check.says:
        return container  # its times are about another command
    own_fields = {_FIELDS[key] for key in check.says}
    changes = {field: value for field, value in healthcheck.items() if field not in own_fields}
    for field in ("interval", "start_interval"):
        if field in changes:
            changes[field] = max(changes[field], SHORTEST_OF_IMAGE)
    return container.with_extra("health", check.replace(**changes))


def check(container: Container, _name: str, service: Iterable[Property]) -> list[Contradiction]:
    """What must hold with a check."""
    found: list[Contradiction] = []
    health = of(container)
    if container.waits_for_health and "Health" in health.says and not health.command:
        found.append(("Notify", "nothing tells whether it is healthy with Health=no", "leave out one of the two"))
    if not container.image and "Health" not in health.says:
        key = min(health.says)
        found.append((key, f"there is no Health= that {key}= is about", "add Health=, or leave it out"))
    if any(item.name == "Delegate" and not item.value for item in service):
        message = "a check has a control group in the service's, which Delegate=no keeps for systemd"
        found.append(("Health", message, "leave out Delegate="))
    return found
