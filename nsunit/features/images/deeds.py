"""Containers of images: which image it is, and that it stays while they have it."""

from __future__ import annotations

import os

from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features.images.keys import of
from nsunit.features.images.plan import with_image
from nsunit.features.images.store import Store
from nsunit.plan.operations import keeps_upper
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition
    from nsunit.features.images.keys import Chosen

RECORD = "image"  # in a container's directory: what it calls its image, and the image's id


def resolve(context: Context, definition: Definition) -> Definition:
    """*definition* with all that its image says.

    A container that keeps what it writes stays on the image with which it was first started, as long as it calls it by
    the same name: what it has written belongs to that one.

    Raises:
        NsunitError: there is no such image, or nothing in it to run.
    """
    chosen = of(definition.container)
    if chosen is None or chosen.id:
        return definition
    if context.user:
        hint = "name a directory with Rootfs= or Layer=, or have root run the container as one of the system's"
        raise DefinitionError([Problem(definition.name, 0, "[Container] Image=: images are the system's alone", hint)])
    store = Store(context.paths)
    identity = _identity(context, store, definition, chosen)
    image = store.image(identity)
    if image is None:
        raise NsunitError(
            f"{definition.name}: the image '{chosen.reference}' is damaged", hint="see 'nsunit image check'"
        )
    container = with_image(definition.container, chosen, image, store.root_of)
    if not container.exec:
        hint = "name the program to run, e.g. Exec=/bin/sh"
        message = f"[Container] Exec= is missing, and the image '{chosen.reference}' has no command"
        raise DefinitionError([Problem(definition.sources[0], 0, message, hint)])
    return definition.replace(container=container)


foreground = resolve


def _identity(context: Context, store: Store, definition: Definition, chosen: Chosen) -> str:
    try:
        named = store.find(chosen.reference)
    except NsunitError as error:
        kept = _kept(context, definition, chosen)
        if not kept or store.image(kept) is None:
            message = f"[Container] Image=: {error.message}"
            raise DefinitionError([Problem(definition.name, 0, message, error.hint)]) from None
        return kept
    kept = _kept(context, definition, chosen)
    if kept and kept != named and store.image(kept):
        context.warn(
            f"warning: {definition.name}: it stays on the image {kept[:12]}, on which it has written; "
            f"'{chosen.reference}' is {named[:12]} now, which 'nsunit rm {definition.name}' would make it begin with"
        )
        return kept
    return named


def _kept(context: Context, definition: Definition, chosen: Chosen) -> str:
    """The image that what a container has written belongs to; empty if there is none."""
    if not keeps_upper(definition.container.replace(layers=("of an image",))):
        return ""
    reference, identity = recorded(context.paths.state_of(definition.name))
    has_written = os.path.isdir(context.paths.upper_of(definition.name) + "/upper")
    return identity if has_written and reference == chosen.reference else ""


def recorded(directory: str) -> tuple[str, str]:
    """What the container with *directory* calls its image, and that image's id; nothing where it has none."""
    content = files.read_file(f"{directory}/{RECORD}")
    reference, _, identity = (content or b"").decode().strip().partition("\n")
    return reference, identity


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Note that a container has its image, which is then not taken away.

    Raises:
        NsunitError: it was taken away meanwhile.
    """
    chosen = of(definition.container)
    assert chosen is not None and chosen.id, "it is looked up first"
    store = Store(context.paths)
    path = f"{place.keeper}/{RECORD}"
    content = f"{chosen.reference}\n{chosen.id}\n".encode()
    former = files.read_file(path)
    with store.lock():
        if store.image(chosen.id) is None:
            raise NsunitError(
                f"{definition.name}: the image '{chosen.reference}' was just removed", hint="import it again"
            )
        if former != content:
            files.write_file(path, content)
    if former is None:
        place.undo.append(lambda: _forget(path))
    elif former != content:
        place.undo.append(lambda: files.write_file(path, former))


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # the directory that it was in is gone
