"""Whether systemd understands the times of a container, and when the next one is."""

from __future__ import annotations

import subprocess
import time

from nsunit.core.jobs import unfinished
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.names import timer_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition

# Without one of these a timer never elapses, and systemd refuses it.
_TIMES = frozenset(
    "OnCalendar OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec OnClockChange"
    " OnTimezoneChange".split()
)
_NEVER = (1 << 64) - 1
_START_SECONDS = 60
_NEXT = ("NextElapseUSecRealtime", "NextElapseUSecMonotonic")


def check(_context: Context, definition: Definition) -> None:
    """See that there are times, and ask systemd whether it can read them: it would be started at none otherwise.

    Raises:
        DefinitionError: there are none, or systemd cannot.
    """
    said: tuple[tuple[str, object], ...] = definition.container.extra("timers")
    found: list[tuple[str, str]] = []
    if not any(key in _TIMES and value is not False for key, value in said):
        found.append(("[Timer] has no key that says when it is to be", "add OnCalendar=, e.g. OnCalendar=daily"))
    if definition.container.uses("activation"):
        found.append(("[Timer] and Activation= both start it", "leave out one of the two"))
    for text in (text for key, text in definition.texts_of("Timer") if key == "OnCalendar"):
        if subprocess.run(("systemd-analyze", "calendar", "--", text), capture_output=True, check=False).returncode:
            found.append((f"OnCalendar=: '{text}' is no time", "try it with 'systemd-analyze calendar'"))
    if found:
        raise DefinitionError([Problem(definition.name, 0, *item) for item in found])


def shown(context: Context, name: str) -> dict[str, Any]:
    """The timer that starts container *name*, and when: µs since 1970, nothing of that where it does not run."""
    unit = timer_name(name)
    state = context.bus.get(unit, "LoadState", "ActiveState", *_NEXT, "LastTriggerUSec")
    if state.get("LoadState") != "loaded":
        return {}
    if state.get("ActiveState") != "active":
        return {"timer": unit}
    since_boot = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    offset = (time.time_ns() - since_boot) // 1000
    times = [value + (offset if key == _NEXT[1] else 0) for key in _NEXT if (value := _time(state.get(key)))]
    return {
        "timer": unit,
        "next_elapse_usec": min(times, default=None),
        "last_trigger_usec": _time(state.get("LastTriggerUSec")),
    }


def _time(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value < _NEVER else None


def enable_now(context: Context, name: str) -> NsunitError | None:
    """Have the times of the enabled container *name* count from now on; the program itself is not started."""
    job = context.bus.start(timer_name(name))
    result = context.bus.wait(job, _START_SECONDS)
    return None if result == "done" else unfinished(name, "the start of its timer", job.unit, result)
