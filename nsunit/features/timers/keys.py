"""What does not go with [Timer]."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

# Without one of these a timer never elapses, and systemd refuses it.
TIMES = frozenset(
    "OnCalendar OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec OnClockChange"
    " OnTimezoneChange".split()
)

TABLES: dict[str, dict[str, Row]] = {}  # it has no key of its own


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note which keys it has, with their values."""
    fields["extras"]["timers"] = tuple(dict(values)["Timer"])


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """It needs a time, and is the only one that starts the container."""
    said: tuple[tuple[str, object], ...] = container.extra("timers")
    found: list[Contradiction] = []
    if not any(key in TIMES and value is not False for key, value in said):
        found.append((f"Timer.{said[0][0]}", "no key says when it is to be", "add OnCalendar=, e.g. OnCalendar=daily"))
    if container.uses("activation"):
        found.append(("Activation", "[Timer] starts it as well", "leave out one of the two"))
    return found
