"""What a container is told about those it is linked with (`Link=`)."""

from __future__ import annotations

import os

from nsunit.definition.load import load_text
from nsunit.errors import NotFoundError, NsunitError
from nsunit.manager.network import attachment_of
from nsunit.names import container_of_unit
from nsunit.plan.linked import ports_of, variables
from nsunit.setup.tunnel import PLACE_VARIABLE, Tunnel
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.bus.protocol import UnitProcess
    from nsunit.definition.model import Container, Definition
    from nsunit.manager.context import Context
    from nsunit.setup.operation import Operation


def link_variables(context: Context, definition: Definition) -> tuple[tuple[str, str], ...]:
    """The variables for all that *definition* is linked with, as those are connected now.

    Raises:
        NotFoundError: one of them neither runs nor is enabled.
        NsunitError: one of them is in none of its networks.
    """
    found: list[tuple[str, str]] = []
    names = definition.container.names
    for other, alias in names.links if names else ():
        address = _address(context, definition, other)
        found += variables(definition.name, alias, address, ports_of(_definition_of(context, other)))
    return tuple(found)


def check_enabled(context: Context, definition: Definition) -> None:
    """See that what *definition* needs is there at boot.

    Raises:
        NsunitError: it is not enabled.
    """
    from nsunit.plan.needs import needed_containers

    for other, why in needed_containers(definition.container).items():
        if not context.paths.is_enabled(other):
            raise NsunitError(
                f"{definition.name}: {why} '{other}', which is not enabled",
                hint=f"do that first: nsunit enable {other}",
            )


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


def _address(context: Context, definition: Definition, other: str) -> str:
    """The address of *other* in the first network that both are in; the IPv4 one where there are both."""
    item = attachment_of(context, other)
    if item is None:
        raise NotFoundError(
            f"{definition.name}: Link=: '{other}' is not connected to a network",
            hint=f"see that it runs and has a Network= of {definition.name}'s: nsunit status {other}",
        )
    for connection in definition.container.connections:
        for interface in item.interfaces:
            if interface.network.name == str(connection):
                return sorted(interface.by_family)[0][1]
    raise NsunitError(
        f"{definition.name}: Link=: '{other}' is in none of its networks",
        hint=f"give both the same Network=, or use Tunnel={other}:PORT",
    )


def _definition_of(context: Context, name: str) -> Container:
    """What container *name* runs with, or will be started from at boot."""
    for directory in (context.paths.runtime_of(name), context.paths.boot_of(name)):
        text = files.read_file(directory + "/definition")
        if text is not None:
            return load_text(name, text.decode(), directory, context.host).container
    raise NotFoundError(f"{name}: it does not run", hint=f"start it: nsunit start {name}")
