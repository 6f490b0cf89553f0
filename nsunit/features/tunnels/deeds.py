"""Tunnels of containers that run."""

from __future__ import annotations

import os

from nsunit.core.programs import find_socket_proxy
from nsunit.features.tunnels.setup import PLACE_VARIABLE, Tunnel
from nsunit.names import container_of_unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation
    from nsunit.storage.processes import UnitProcess


def facts(_context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the proxy.

    Raises:
        NsunitError: it is not installed.
    """
    return facts.with_extra("tunnels", find_socket_proxy(definition.name, "Tunnel", "leave it out"))


def notes(_context: Context, name: str, operations: Iterable[Operation], processes: Iterable[UnitProcess]) -> list[str]:
    """What is wrong with the tunnels of container *name*, for `status`."""
    return broken_tunnels(name, operations, processes)


def broken_tunnels(name: str, operations: Iterable[Operation], processes: Iterable[UnitProcess]) -> list[str]:
    """Which tunnels of container *name*, which runs by *operations*, have no proxy among its *processes*."""
    tunnels = [item for item in operations if isinstance(item, Tunnel)]
    programs = {item.proxy for item in tunnels}
    places = {_place_of(item.pid) for item in processes if item.command.partition(" ")[0] in programs}
    return [
        f"its tunnel from '{item.local}' to port {item.port} of '{container_of_unit(item.service)}' is broken, as the "
        f"proxy has ended; 'nsunit restart {name}' makes it anew"
        for item in tunnels
        if item.local not in places
    ]


def _place_of(proxy: int) -> str:
    """Where the tunnel of the process *proxy* begins; empty if it has just ended."""
    try:
        fd = os.open(f"/proc/{proxy}/environ", os.O_RDONLY | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            lines = file.read().decode("utf-8", "surrogateescape").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    prefix = PLACE_VARIABLE + "="
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")
