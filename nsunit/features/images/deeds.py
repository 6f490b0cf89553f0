"""Containers of images: which image it is, and that it stays while they have it."""

from __future__ import annotations

import os

from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features import load
from nsunit.features.images import pins
from nsunit.features.images.keys import of
from nsunit.features.images.plan import publishes_exposed, said, with_image, without_image
from nsunit.features.images.store import Store, names_of
from nsunit.plan.operations import keeps_upper
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition
    from nsunit.features.images.keys import Chosen
    from nsunit.plan.facts import Facts

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
    store = Store(context.paths)
    identity = _identity(context, store, definition, chosen)
    image = store.image(identity)
    if image is None:
        raise NsunitError(
            f"{definition.name}: the image '{chosen.reference}' is damaged", hint="see 'nsunit image check'"
        )
    if publishes_exposed(definition.container) and not image.exposed_ports:
        message = f"[Container] PublishPort=all: the image '{chosen.reference}' exposes no port"
        raise DefinitionError([Problem(definition.sources[0], 0, message, "name the ports")])
    container = with_image(definition.container, chosen, image, store.root_of)
    if not container.exec:
        hint = "name the program to run, e.g. Exec=/bin/sh"
        message = f"[Container] Exec= is missing, and the image '{chosen.reference}' has no command"
        raise DefinitionError([Problem(definition.sources[0], 0, message, hint)])
    if container.waits_for_health and not load("health", "keys").of(container).command:
        hint = "say how to check it with Health="
        message = f"[Container] Notify=healthy: the image '{chosen.reference}' does not say how to check it"
        raise DefinitionError([Problem(definition.sources[0], 0, message, hint)])
    return definition.replace(container=container)


foreground = resolve


def preview(context: Context, definition: Definition) -> tuple[Definition, dict[str, object]]:
    """*definition* as `resolve` makes it, and what is to be shown of its image; that need not be in the store."""
    chosen = of(definition.container)
    assert chosen is not None
    shown: dict[str, object] = {"reference": chosen.reference, "id": None, "says": []}
    if not is_there(context, definition, chosen):
        context.warn(f"warning: {definition.name}: there is no image '{chosen.reference}' in the store")
        return definition.replace(container=without_image(definition.container, chosen)), shown
    found = resolve(context, definition)
    resolved = of(found.container)
    assert resolved is not None
    image = Store(context.paths).image(resolved.id)
    if image is not None:
        shown = {**shown, "id": image.id, "says": said(definition.container, chosen, image)}
    return found, shown


def _identity(context: Context, store: Store, definition: Definition, chosen: Chosen) -> str:
    if pinned := pins.pinned(context, definition.name, chosen.reference):
        return pinned
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
            f"'{chosen.reference}' is {named[:12]} now, which 'nsunit update {definition.name}' has it run"
        )
        return kept
    return named


def is_there(context: Context, definition: Definition, chosen: Chosen) -> bool:
    """Whether a container could start with an image that is in the store."""
    try:
        return bool(Store(context.paths).find(chosen.reference))
    except NsunitError:
        return bool(_kept(context, definition, chosen))


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


def shown(context: Context, name: str) -> dict[str, object]:
    """The image that it has, for `status`: by the name that leads to it, which update may have been given."""
    reference, identity = recorded(context.paths.state_of(name))
    names = names_of(Store(context.paths)).get(identity, []) if identity else []
    return {"image": reference if reference in names or not names else names[0], "image_id": identity}


def keep(context: Context, definition: Definition) -> None:
    """Have what a container writes go where it belongs, after `update` or `rollback` has chosen another image."""
    chosen = of(definition.container)
    assert chosen is not None and chosen.id, "it is looked up first"
    if not pins.pinned(context, definition.name, chosen.reference):
        return
    directory = context.paths.state_of(definition.name)
    _, has = recorded(directory)
    note, content = f"{directory}/{RECORD}", _record(chosen)
    pins.put_upper_in_place(context, context.paths.upper_of(definition.name), has, chosen.id, note, content)


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the upper directory that belongs to the image, which is not in place before the start after it."""
    chosen = of(definition.container)
    if chosen is None or not facts.upper:
        return facts
    return facts.replace(upper=upper_of(context, definition.name, chosen.id))


def upper_of(context: Context, name: str, identity: str) -> str:
    """Where container *name* has, or will have, what it writes on the image *identity*."""
    _, has = recorded(context.paths.state_of(name))
    pin = pins.read(context.paths.state_of(name)) if has and has != identity else None
    upper = context.paths.upper_of(name)
    return f"{upper}-{identity}" if pin and pin.identity == identity else upper


def _record(chosen: Chosen) -> bytes:
    return f"{chosen.reference}\n{chosen.id}\n".encode()


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Note that a container has its image, which is then not taken away.

    Raises:
        NsunitError: it was taken away meanwhile.
    """
    chosen = of(definition.container)
    assert chosen is not None and chosen.id, "it is looked up first"
    store = Store(context.paths)
    path = f"{place.keeper}/{RECORD}"
    content = _record(chosen)
    former = files.read_file(path)
    if former is None:  # all noted before, since a signal may come in between
        place.undo.append(lambda: files.discard(path))
    elif former != content:
        place.undo.append(lambda: files.write_file(path, former))
    with store.lock():
        if store.image(chosen.id) is None:
            raise NsunitError(
                f"{definition.name}: the image '{chosen.reference}' was just removed", hint="import it again"
            )
        if former != content:
            files.write_file(path, content)
