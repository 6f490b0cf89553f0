"""pasta(1) on this host."""

from __future__ import annotations

from nsunit.core.programs import directory_with
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features.names.deeds import make_own_files
from nsunit.features.network.register import check_free, note_ports
from nsunit.features.network.values import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def find_pasta() -> str:
    """The program pasta(1).

    Raises:
        NsunitError: it is not installed.
    """
    directory = directory_with(("pasta",))
    if directory:
        return f"{directory}/pasta"
    raise NsunitError("Network=pasta needs the program 'pasta'", hint="install the package 'passt'")


def check(context: Context, definition: Definition) -> None:
    """Refuse a container of the system.

    Raises:
        DefinitionError: it is one.
    """
    if not context.user:
        message = "[Container] Network=pasta is for containers without root"
        raise DefinitionError([Problem(definition.name, 0, message, "run it with --user, or use Network=bridge")])


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Make its resolv.conf."""
    make_own_files(context, definition, place)
    note_ports(context, definition.name, definition.container, place.network)


def check_now(_context: Context, definition: Definition) -> None:
    """See that its ports are free.

    Raises:
        NsunitError: one is taken.
    """
    for port in of(definition.container).published_ports:
        check_free(definition.name, port)


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the program, and with where its files are."""
    found = facts.with_extra("pasta", find_pasta())
    directory = context.paths.network_of(definition.name)
    return found.with_extra("names", directory).replace(directories=(*facts.directories, directory))


def at_boot(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* for unit files: they are in the directory that is kept."""
    return facts.with_extra("names", context.paths.boot_network_of(definition.name)).replace(directories=())
