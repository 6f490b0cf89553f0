"""Taking a container away, whatever there is of it."""

from __future__ import annotations

from nsunit.errors import NsunitError
from nsunit.oci.cgroup import fs, manager
from nsunit.oci.killing import kill_all
from nsunit.oci.state import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.oci.spec.fields import Json
    from nsunit.oci.state import Store


def destroy(
    store: Store, container: Container, config: Json | None, *, hooks: bool, warn: Callable[[str], None]
) -> None:
    """Kill what is left of *container*, remove its cgroup, run its last hooks, and forget it."""
    kill_all(container)
    try:
        manager.remove(container.place)
    except (NsunitError, OSError) as error:
        warn(str(error))
        if fs.exists(container.place.path) and manager.is_own(container.place):
            raise
    if hooks and config and config.get("hooks"):
        from nsunit.oci.outside import after_end  # few containers have hooks

        after_end(container, config, warn)
    store.remove(container.id)
