"""What the root of a container is made of, and where what it has written is."""

from __future__ import annotations

import os

from nsunit.core.prepare import expanded
from nsunit.core.running import Running, find_running, is_frozen, is_running
from nsunit.core.stored import defined, known
from nsunit.errors import NsunitError
from nsunit.features import hooks
from nsunit.features.images.deeds import recorded, upper_of
from nsunit.features.images.keys import of
from nsunit.features.names.plan import FILES
from nsunit.names import check_name
from nsunit.plan.facts import Facts
from nsunit.plan.operations import keeps_upper, operations
from nsunit.record import Record
from nsunit.setup import namespaces, process, root
from nsunit.setup.main import read_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Container, Definition
    from nsunit.setup.operation import Operation


class Written(Record):
    """The root of the *container* called *name*: *layers*, the topmost first, below *upper*; or one directory alone.

    *image* is the id of the image that has the last of the layers; empty where there is none.  *start* is the host's id
    of the container's root, and *base* what that root is on the disk.  *running* is None while it is stopped.
    *targets* are the paths in it where something is mounted, or was.
    """

    name: str
    container: Container
    layers: tuple[str, ...]
    upper: str
    image: str
    start: int
    base: int
    running: Running | None
    targets: tuple[str, ...] = ()

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of it runs just now."""
        return self.running is not None and is_frozen(self.running)


def written(context: Context, name: str) -> Written:
    """What the root of container *name* is made of, running or not.

    Raises:
        NotFoundError: there is none of that name.
        NsunitError: nothing of what it writes is kept.
    """
    check_name(name)
    running = find_running(context, name) if is_running(context, name) else None
    definition = known(context, name) or defined(context, name)
    container = definition.container
    if dict(container.namespaces).get("mnt"):
        raise NsunitError(f"{name}: its root is another's, by MountNamespace=", hint="name the container that has it")
    if container.volatile or container.read_only:
        why = "Volatile=" if container.volatile else "ReadOnly="
        raise NsunitError(f"{name}: nothing of what it writes is kept, by {why}", hint=f"start it without {why}")
    image, start = "", 0
    if running is not None:
        image = _image_of(context, definition)
        planned = read_plan(context.paths.runtime_of(name))
        overlay = next((item for item in planned if isinstance(item, root.Overlay)), None)
        layers = overlay.lowers if overlay else ()
        container = container.replace(exec=next(item.argv for item in planned if isinstance(item, process.Exec)))
        start = next((int(item.start) for item in planned if isinstance(item, namespaces.UserNamespace)), 0)
        targets = _targets(planned)
    else:
        for resolve in hooks(container.features, "deeds.resolve"):
            container = resolve(context, definition).container
        chosen = of(container)
        image, layers = chosen.id if chosen else "", container.layers
        targets = _planned_targets(context, definition.replace(container=container))
    if not layers:
        assert container.rootfs is not None
        owned = dict(definition.texts_of("Container")).get("Ownership") == "chown"
        base = os.stat(container.rootfs).st_uid if owned else 0
        return Written(name, container, (container.rootfs,), "", "", start, base, running)
    assert keeps_upper(container.replace(layers=layers))
    upper = f"{upper_of(context, name, image)}/upper"
    return Written(name, container, layers, upper, image, start, 0, running, targets)


def _targets(planned: Sequence[Operation]) -> tuple[str, ...]:
    return tuple(place for item in planned for place in item.mount_points())


def _planned_targets(context: Context, definition: Definition) -> tuple[str, ...]:
    """Where *definition* has something mounted, whatever the host has of that just now."""
    facts = Facts(context.host.systemd_version, "", "", context.paths.runtime_of(definition.name))
    return (*_targets(operations(expanded(definition), facts)), *(target for _, target in FILES))


def _image_of(context: Context, definition: Definition) -> str:
    if not definition.container.image:
        return ""
    directories = (context.paths.runtime_of(definition.name), context.paths.state_of(definition.name))
    return next((identity for directory in directories if (identity := recorded(directory)[1])), "")
