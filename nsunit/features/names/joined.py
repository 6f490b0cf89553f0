"""The files with names of a container whose network another one joins."""

from __future__ import annotations

from nsunit.definition.model import shared_kinds
from nsunit.features.names.plan import FILES
from nsunit.setup.main import read_plan
from nsunit.setup.mounts import Bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container


def files_of(container: Container, directory: str) -> tuple[tuple[str, str], ...]:
    """What *container* is to have of the one with a plan in *directory*: sources, and where they belong.

    Nothing where it has the file systems of another as well, or that one is not there, which is told elsewhere.
    """
    if "mnt" in shared_kinds(container):
        return ()
    try:
        planned = read_plan(directory)
    except OSError:
        return ()
    targets = {target for _, target in FILES}
    return tuple((item.source, item.target) for item in planned if isinstance(item, Bind) and item.target in targets)
