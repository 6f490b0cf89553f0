"""The verb `wait`."""

from __future__ import annotations

import signal

from nsunit.cli import say
from nsunit.cli.lifecycle.values import value_of
from nsunit.cli.output import print_json
from nsunit.deeds.wait import wait as wait_for
from nsunit.deeds.wait import wait_for_health
from nsunit.definition.values import usec
from nsunit.errors import UsageError
from nsunit.names import printable
from nsunit.storage.health import HEALTHY, UNHEALTHY
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.bus.watch import Ended
    from nsunit.cli.verbs import Invocation


CONDITIONS = (HEALTHY, UNHEALTHY)


def wait(invocation: Invocation) -> int:
    """The verb `wait`."""
    names = invocation.names("running")
    timeout = _seconds(invocation.value("timeout"))
    condition = invocation.value("condition")
    if condition is not None:
        return _wait_for_health(invocation, names, condition, timeout)
    ended = wait_for(invocation.context(), names, timeout=timeout)
    if invocation.flag("json"):
        print_json([{"name": name, "ended": item} for name, item in zip(names, ended, strict=True)])
    elif not invocation.flag("quiet"):
        for name, item in zip(names, ended, strict=True):
            say(f"{name}: {describe_end(item)}")
    return 0 if all(item.result in ("success", "") and item.active_state != "failed" for item in ended) else 1


def _wait_for_health(invocation: Invocation, names: Sequence[str], condition: str, timeout: float | None) -> int:
    if condition not in CONDITIONS:
        hint = f"there are {' and '.join(CONDITIONS)}; without one it waits for the end"
        raise UsageError(f"'{printable(condition)}' is no condition", hint=hint)
    found = wait_for_health(invocation.context(), names, condition, timeout=timeout)
    if invocation.flag("json"):
        print_json([{"name": name, "health": now} for name, now in zip(names, found, strict=True)])
    elif not invocation.flag("quiet"):
        for name, now in zip(names, found, strict=True):
            say(f"{name}: {now or 'has ended'}")
    return 0 if all(now == condition for now in found) else 1


def describe_end(ended: Ended) -> str:
    """Say in words how a unit ended."""
    if ended.time_was_up:
        return "was stopped, as its time was up (RuntimeMaxSec=)"
    if ended.active_state == "gone":
        return "is not running"
    if ended.exec_main_code == 1:
        return f"exited with status {ended.exec_main_status}" + _because(ended.result, "exit-code")
    if ended.exec_main_code in (2, 3):
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(ended.exec_main_status, f"signal {ended.exec_main_status}")
        dumped = " and dumped core" if ended.exec_main_code == 3 else ""
        return f"was killed by {name}{dumped}" + _because(ended.result, "signal", "core-dump")
    return "ended" + _because(ended.result)


def _because(result: str, *expected: str) -> str:
    return "" if result in ("success", "", *expected) else f" ({printable(result)})"


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    value = value_of(usec, text)
    return None if value == INFINITY else value / 1_000_000
