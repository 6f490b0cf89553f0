"""What is kept of containers that no definition of their own tells of."""

from __future__ import annotations

from nsunit.core.running import is_running
from nsunit.definition.search import list_names, main_file
from nsunit.names import is_pod, is_valid_name
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context

NO_DEFINITION, STOPPED = "no-definition", "stopped"


class Kept(Record):
    """A container that does not run and has kept something.

    *state* is "stopped", of an instance of a template, or "no-definition": it was made by `run --keep`, or its
    definition is gone.
    """

    name: str
    state: str


def kept(context: Context) -> list[Kept]:
    """The containers with state that have no definition of their own, and that do not run."""
    defined = list_names(context.search)
    return [
        Kept(name, STOPPED if main_file(name, context.search) else NO_DEFINITION)
        for name in files.list_directory(context.paths.states)
        if is_valid_name(name) and not is_pod(name) and name not in defined and not is_running(context, name)
    ]
