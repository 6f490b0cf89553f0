"""The other side of `deploy`: it gets a container, and starts it."""

from __future__ import annotations

import errno
import os

from nsunit.cli.image.update import renewer
from nsunit.core.context import take_back
from nsunit.deeds.enable import enable as enable_at_boot
from nsunit.deeds.start import start
from nsunit.deeds.wait import came_up
from nsunit.errors import AS_ROOT, DefinitionError, NsunitError
from nsunit.features.images.deeds import recorded
from nsunit.features.images.keys import of as image_of
from nsunit.features.images.store import Store
from nsunit.features.transfer.deploy.beside import place
from nsunit.features.transfer.deploy.channel import Channel, EndedError
from nsunit.features.transfer.deploy.offer import load
from nsunit.features.transfer.deploy.receive import bring_in, check, lacking, note_all, replace_definition
from nsunit.features.transfer.deploy.send import known_contents
from nsunit.features.transfer.restore import restore
from nsunit.features.transfer.staging import Staging
from nsunit.features.updates.switch import roll_back, update
from nsunit.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.features.images.writing import Staging as StagedImage
    from nsunit.features.transfer.deploy.offer import Layer, Offer


def receive(invocation: Invocation) -> int:
    """`nsunit deploy --receive`: standard input and output are a `Channel`, and errors go through it as well."""
    channel = Channel(0, os.dup(1))
    os.dup2(2, 1)  # whatever else is printed is not taken for a message
    try:
        channel.greet(VERSION)
        try:
            _receive(invocation, channel)
        except NsunitError as error:
            channel.say(_told(error))
            return error.exit_status
        except OSError as error:
            where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
            hint = AS_ROOT if error.errno in (errno.EPERM, errno.EACCES) else None
            channel.say({"error": f"{where}{error.strerror or error}", "hint": hint, "status": 1})
            return 1
    except EndedError:
        return 1  # nobody is there to be told
    return 0


def _told(error: NsunitError) -> dict[str, object]:
    problems = error.problems if isinstance(error, DefinitionError) else []
    hint = next((item.hint for item in problems if item.hint), None) if problems else error.hint
    return {"error": "; ".join(error.message.splitlines()), "hint": hint, "status": error.exit_status}


def _receive(invocation: Invocation, channel: Channel) -> None:
    context = invocation.context()
    context.warn = lambda text: channel.say({"warn": text})
    said = channel.hear()
    offer = load(said)
    definition = check(context, offer)
    layers = lacking(context, offer)
    channel.say({"lacks": [layer.chain for layer in layers]})
    if said.get("delta") and layers:
        keys = [str(key) for key in channel.hear().get("contents", ())]
        channel.say({"lacks-contents": known_contents(Store(context.paths), keys)})

    def archive(staging: StagedImage, layer: Layer) -> str:
        return _kept(channel, f"{staging.path}/{layer.chain}.tar")

    bring_in(context, offer, layers, archive)
    enable = bool(said.get("enable"))
    if offer.state:
        with Staging(context) as staging:
            path = _kept(channel, f"{staging.path}/archive.tar")
            state = take(context, offer, definition, path, enable=enable)
    else:
        state = take(context, offer, definition, enable=enable)
    channel.say({"done": state})


def _kept(channel: Channel, path: str) -> str:
    """*path*, of a file with what comes next."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        channel.take_file(fd)
    finally:
        os.close(fd)
    return path


def take(context: Context, offer: Offer, definition: Definition, archive: str = "", *, enable: bool = False) -> str:
    """Make the container of *offer* this host's, whose image is here, and have it run; says what was done.

    With offer.state it is imported from *archive*.  With *enable* it is started at boot, which it is as it is now if it
    was so before.

    Raises:
        NsunitError: it does not come up; what was there before runs as it did.
    """
    undo: Undo = []
    try:
        place(context, offer, undo)
        if offer.state:
            restore(context, archive, force=offer.force)
            note_all(context, definition, offer)
            changed = True
            undo.clear()
        else:
            changed = replace_definition(context, definition, offer, undo)
    except BaseException:
        take_back(undo)
        raise
    state = _run(context, offer, definition, undo)
    was_enabled = context.paths.is_enabled(offer.name)
    if enable and not was_enabled or was_enabled and (changed or state == "updated"):
        for outcome in enable_at_boot(context, (offer.name,)):
            if outcome.error:
                raise outcome.error
    return state


def _run(context: Context, offer: Offer, definition: Definition, undo: Undo) -> str:
    name = offer.name
    again = _with_way_back(context, undo)
    pinned = False
    if _has_another_image(context, offer, definition):
        outcome = update(context, name, again, f"sha256:{offer.image}")
        if outcome.error:
            raise outcome.error
        if outcome.state == "updated":
            return "updated"
        pinned = outcome.state != "newest"
    try:
        outcome = start(context, (name,))[0]
    except BaseException:  # interrupted: it was not started either
        take_back(undo)
        raise
    if outcome.error:
        take_back(undo, outcome.error)
        if pinned:
            roll_back(context, name, again)
        raise outcome.error
    if outcome.state != "differs":
        came_up(context, name)
        return outcome.state
    _restart(name, undo, again)
    return "restarted"


def _restart(name: str, undo: Undo, again: Callable[[str, bool], None]) -> None:
    was_changed = bool(undo)
    try:
        again(name, True)
    except NsunitError as error:
        if not was_changed:
            raise
        text = f"{name}: not with the new definition: {error.message.removeprefix(f'{name}: ')}"
        try:
            again(name, True)
        except NsunitError as second:
            told = second.message.removeprefix(f"{name}: ")
            raise NsunitError(f"{text}; and it does not run as before: {told}", hint=second.hint) from None
        raise NsunitError(f"{text}; it runs as before", hint=error.hint) from None


def _with_way_back(context: Context, undo: Undo) -> Callable[[str, bool], None]:
    """What restarts a container; where that fails its definition is the former one again, for the next time."""
    renew = renewer(context)

    def again(name: str, runs: bool) -> None:
        try:
            renew(name, runs)
        except BaseException:
            take_back(undo)
            undo.clear()
            raise

    return again


def _has_another_image(context: Context, offer: Offer, definition: Definition) -> bool:
    """Whether the container has an image by the same name already, which is another one."""
    chosen = image_of(definition.container)
    if chosen is None:
        return False
    reference, identity = recorded(context.paths.state_of(offer.name))
    return reference == chosen.reference and identity not in ("", offer.image)
