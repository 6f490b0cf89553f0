"""What a container is told about those it is linked with (`Link=`)."""

from __future__ import annotations

from nsunit.core.stored import known
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.links.keys import of
from nsunit.features.links.plan import ports_of, variables
from nsunit.features.network.register import attachment_of
from nsunit.features.network.values import of as connected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts


def link_variables(context: Context, definition: Definition) -> tuple[tuple[str, str], ...]:
    """The variables for all that *definition* is linked with, as those are connected now.

    Raises:
        NotFoundError: one of them neither runs nor is enabled.
        NsunitError: one of them is in none of its networks.
    """
    found: list[tuple[str, str]] = []
    for other, alias in of(definition.container).links:
        address = _address(context, definition, other)
        found += variables(definition.name, alias, address, ports_of(_container_of(context, other)))
    return tuple(found)


def _address(context: Context, definition: Definition, other: str) -> str:
    """The address of *other* in the first network that both are in; the IPv4 one where there are both."""
    item = attachment_of(context, other)
    if item is None:
        raise NotFoundError(
            f"{definition.name}: Link=: '{other}' is not connected to a network",
            hint=f"see that it runs and has a Network= of {definition.name}'s: nsunit status {other}",
        )
    for connection in connected(definition.container).connections:
        for interface in item.interfaces:
            if interface.network.name == str(connection):
                return sorted(interface.by_family)[0][1]
    raise NsunitError(
        f"{definition.name}: Link=: '{other}' is in none of its networks",
        hint=f"give both the same Network=, or use Tunnel={other}:PORT",
    )


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the variables."""
    return facts.replace(environment=(*facts.environment, *link_variables(context, definition)))


def _container_of(context: Context, name: str) -> Container:
    """What container *name* runs with, or will be started from at boot."""
    definition = known(context, name)
    if definition is None:
        raise NotFoundError(f"{name}: it is not running", hint=f"start it: nsunit start {name}")
    return definition.container
