"""Before a start: whether an image has to be fetched.  What fetches it is loaded if so."""

from __future__ import annotations

from nsunit.features import load
from nsunit.features.images.deeds import is_there
from nsunit.features.images.keys import of
from nsunit.features.images.layout import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition


def ensure(context: Context, definition: Definition) -> None:
    """See that the image of a container is in the store, as Pull= says.

    Raises:
        NsunitError: it cannot be had, and has to be.
    """
    chosen = of(definition.container)
    if chosen is None or chosen.id or chosen.pull == "never" or not _is_of_a_registry(chosen.reference):
        return
    if chosen.pull == "missing" and is_there(context, definition, chosen):
        return
    load("images", "fetch.pull").pull_for(context, definition, chosen)


def _is_of_a_registry(reference: str) -> bool:
    """Whether a registry may have it: no id, and no name of what was made here."""
    return not reference.startswith("sha256:") and split(reference.partition("@")[0])[0] != "localhost"
