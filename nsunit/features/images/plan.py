"""A container with what its image says.  Pure."""

from __future__ import annotations

from nsunit.features import load
from nsunit.features.images.keys import of
from nsunit.features.images.setup import MakeDirectory
from nsunit.setup.process import WorkingDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.definition.model import Container
    from nsunit.features.images.keys import Chosen
    from nsunit.features.images.layout import Image
    from nsunit.setup.operation import Operation


def with_image(container: Container, chosen: Chosen, image: Image, root_of: Callable[[str], str]) -> Container:
    """*container* with the layers and the words of *image*, where it has none of its own.

    Exec= is in place of the image's Cmd; an Entrypoint= of the definition leaves that Cmd out, as with docker.
    """
    entrypoint = image.entrypoint if chosen.entrypoint is None else chosen.entrypoint
    arguments = container.exec or (image.cmd if chosen.entrypoint is None else ())
    if container.exec and "Exec" not in chosen.says:
        entrypoint = ()  # a system's init
    changes: dict[str, object] = {
        "layers": (*container.layers, *map(root_of, image.layers)),
        "exec": (*entrypoint, *arguments),
        "environment": tuple((dict(image.environment) | dict(container.environment)).items()),
    }
    if container.user is None and image.user:
        changes["user"] = image.user
        changes["group"] = container.group or image.group or None
    if container.working_directory is None and image.working_directory:
        changes["working_directory"] = image.working_directory
    if "StopSignal" not in chosen.says and image.stop_signal:
        changes["stop_signal"] = image.stop_signal
    found = container.replace(**changes).with_extra("images", chosen.replace(id=image.id))
    if image.volumes:
        found = load("volumes", "values").with_image_volumes(found, image.volumes)
    if publishes_exposed(found):
        found = load("network", "values").with_exposed(found, image.exposed_ports)
    if image.healthcheck:
        found = load("health", "keys").with_image(found, dict(image.healthcheck))
    return found


def publishes_exposed(container: Container) -> bool:
    """Whether *container* publishes all ports that its image exposes."""
    return container.uses("network") and bool(load("network", "values").of(container).exposed)


def said(container: Container, chosen: Chosen, image: Image) -> list[dict[str, object]]:
    """What a container of *image* is started with, part by part, each with who says so: the image or the definition.

    *container* is what the definition says.
    """
    own = chosen.says
    replaced = chosen.entrypoint is not None
    boots = container.exec and "Exec" not in own  # a system's init
    entrypoint = chosen.entrypoint if replaced else () if boots else image.entrypoint
    environment = dict(container.environment)
    parts: list[tuple[str, object, bool]] = [
        ("Entrypoint", list(entrypoint or ()), replaced),
        ("Exec", list(container.exec or (() if replaced else image.cmd)), bool(container.exec)),
        *((f"Environment {name}", value, False) for name, value in image.environment if name not in environment),
        *((f"Environment {name}", value, True) for name, value in container.environment),
        ("User", container.user or image.user, container.user is not None),
        ("Group", container.group or (image.group if container.user is None else ""), container.group is not None),
        ("WorkingDirectory", container.working_directory or image.working_directory, "WorkingDirectory" in own),
        ("ExposedPort", [f"{number}/{protocol}" for number, protocol in image.exposed_ports], False),
        ("StopSignal", container.stop_signal if "StopSignal" in own else image.stop_signal, "StopSignal" in own),
    ]
    return [
        {"key": key, "value": value, "from": "definition" if is_own else "image"}
        for key, value, is_own in parts
        if value
    ]


def without_image(container: Container, chosen: Chosen) -> Container:
    """*container* with words in place of what its image, which is not there, would say: to be shown, not started."""
    layers = (*container.layers, f"the layers of {chosen.reference}")
    return container.replace(layers=layers, exec=container.exec or (f"the command of {chosen.reference}",))


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned*, with the image's own working directory made where it is missing, as all engines do."""
    chosen = of(container)
    if chosen is None or "WorkingDirectory" in chosen.says or not container.working_directory:
        return planned
    place = next(number for number, item in enumerate(planned) if item.keyword == "environment")
    if not any(isinstance(item, WorkingDirectory) for item in planned):
        return planned
    return [*planned[:place], MakeDirectory(container.working_directory), *planned[place:]]
