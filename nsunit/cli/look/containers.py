"""The verb `list`."""

from __future__ import annotations

import time

from nsunit.cli import warn
from nsunit.cli.output import (
    Style,
    format_ago,
    format_duration,
    format_size,
    plural,
    print_json,
    print_names,
    print_table,
)
from nsunit.deeds.look.connected import connected
from nsunit.deeds.look.states import list_containers as query
from nsunit.deeds.look.states import pod_states
from nsunit.deeds.look.timed import with_timers
from nsunit.names import matching
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.deeds.look.states import ContainerState

_COLUMNS: tuple[str, ...] = ("NAME", "STATE", "SUB", "PID", "SINCE", "CPU", "MEMORY", "TASKS", "ADDRESS", "PORTS")
_ENABLED = "ENABLED"  # with --all, as list-unit-files of systemctl has it
_WAITING = ("listening", "waiting")  # what is inactive and starts by itself
# What is left out where there is no room, in this order.
_SPARE: tuple[str, ...] = ("TASKS", "CPU", "PID", "SINCE", "MEMORY", "SUB", "PORTS", "ADDRESS")


def list_containers(invocation: Invocation) -> int:
    """The verb `list`."""
    context, everything = invocation.context(), invocation.flag("all")
    loaded = (*with_timers(context, query(context, everything=everything)), *pod_states(context, everything=everything))
    states = wanted_states(invocation, sorted(loaded, key=lambda state: state.name))
    if invocation.flag("json"):
        print_json([_as_json(context, state) for state in states])
        return 0
    if invocation.flag("quiet"):
        print_names(state.name for state in states)
        return 0
    style = Style.of(invocation)
    rows = [(*_row(state), *_connected(context, state)) for state in states]
    columns, spare = _COLUMNS, _SPARE
    if everything:
        rows = [(*row, "yes" if state.enabled else "-") for row, state in zip(rows, states, strict=True)]
        columns, spare = (*columns, _ENABLED), (_ENABLED, *spare)
    print_table(style, columns, rows, spare)
    for state in states:
        if state.note:
            warn(f"{state.name}: {state.note.removeprefix(f'{state.name}: ')}")
    if style.terminal:
        more = "" if everything else "; 'nsunit list --all' shows those that do not run as well"
        style.line(f"\n{plural(len(states), 'container')}{more}")
    return 0


def wanted_states(invocation: Invocation, loaded: Iterable[ContainerState]) -> list[ContainerState]:
    """Return those of *loaded* that the command line asks for."""
    states = list(loaded)
    wanted = matching((state.name for state in states), invocation.operands)
    return [
        state
        for state in states
        if (invocation.flag("all") or state.active_state != "inactive" or state.sub_state in _WAITING)
        and state.name in wanted
    ]


def _row(state: ContainerState) -> tuple[str, ...]:
    return (
        state.name,
        "paused" if state.frozen else state.active_state,
        state.sub_state + (f" ({word})" if (word := state.health or _until(state.next_elapse_usec)) else ""),
        str(state.pid) if state.pid else "-",
        format_ago(state.since_usec),
        "-" if state.cpu_usec is None else format_duration(state.cpu_usec / 1_000_000),
        format_size(state.memory),
        "-" if state.tasks is None else str(state.tasks),
    )


def _until(usec: int | None) -> str:
    return f"next in {format_duration(max(0.0, usec / 1_000_000 - time.time()))}" if usec else ""


def _as_json(context: Context, state: ContainerState) -> dict[str, object]:
    addresses, ports = _of_network(context, state)
    return {**{field: getattr(state, field) for field in state._fields}, "addresses": addresses, "ports": ports}


def _of_network(context: Context, state: ContainerState) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    return connected(context, state.name) if state.active_state in UP else ((), ())


def _connected(context: Context, state: ContainerState) -> tuple[str, str]:
    """The first of its addresses, `status` has all, and ports of the host that lead to it."""
    addresses, ports = _of_network(context, state)
    address = addresses[0].partition("/")[0] if addresses else "-"
    return address, " ".join(f"{port}→{port.container}" for port in ports) or "-"
