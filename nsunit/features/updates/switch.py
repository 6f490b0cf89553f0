"""Have a container run another image: restart it, see that it comes up, and go back by itself if it does not."""

from __future__ import annotations

from nsunit.core.jobs import Outcome
from nsunit.core.running import is_running
from nsunit.definition.load import load
from nsunit.errors import NsunitError
from nsunit.features.images import pins
from nsunit.features.images.deeds import recorded
from nsunit.features.images.keys import of
from nsunit.features.images.pins import Pin
from nsunit.features.images.store import Store
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context

    # Restarts a container and waits until it is ready and, where that is checked, healthy; where it is not to run
    # (False), has its unit files be those of its next start, if it is enabled.  Raises NsunitError.
    Renew = Callable[[str, bool], None]
_ID_SHOWN = 12


class Images:
    """What container *name* has to do with images: how it calls its own, which one it has, and its pin.

    *wish* is what the caller would do with it.

    Raises:
        NsunitError: it has no Image=, or was never started.
    """

    def __init__(self, context: Context, name: str, wish: str = "update") -> None:
        self.name = name
        self.directory = context.paths.state_of(name)
        chosen = of(load(name, context.search, context.host).container)
        if chosen is None:
            hint = f"'nsunit restart {name}' takes another Layer=: see nsunit-tutorial(7), 'Another version, and back'"
            raise NsunitError(f"{name}: it has no image", hint=hint)
        self.reference = chosen.reference
        self.pin = pins.read(self.directory)
        _, self.identity = recorded(self.directory)
        if not self.identity:
            hint = f"'nsunit start {name}' takes the newest one there is"
            raise NsunitError(f"{name}: it was never started, so there is nothing to {wish}", hint=hint)
        is_pinned = self.pin and self.pin.reference == self.reference
        self.next = self.pin.identity if self.pin and is_pinned else self.identity  # what the next start has


def update(context: Context, name: str, renew: Renew, reference: str = "", *, auto: bool = False) -> Outcome:
    """Have container *name* run what its image's name, or *reference*, means in the store now.

    With *auto*, an image that has failed before is not tried again.

    Raises:
        NsunitError: there is no such image; the container was not touched.
    """
    images = Images(context, name)
    identity = Store(context.paths).find(reference or images.reference)
    failed = images.pin.failed if images.pin else ""
    has = (images.identity, images.next) if is_running(context, name) else (images.next,)
    if {*has} == {identity} or (auto and identity == failed):
        return Outcome(name, "newest")
    former = images.identity if images.identity != identity else images.next  # what was only to be run is none
    return _switch(context, images, Pin(images.reference, identity, former), renew, "updated")


def roll_back(context: Context, name: str, renew: Renew) -> Outcome:
    """Have container *name* run what it ran before its last update.

    Raises:
        NsunitError: there was none.
    """
    images = Images(context, name, "go back to")
    former = images.pin.former if images.pin else ""
    if not former or (images.pin and images.pin.reference != images.reference):
        hint = f"'nsunit update {name} IMAGE' has it run any other image of the store"
        raise NsunitError(f"{name}: there is no update to go back from", hint=hint)
    pin = Pin(images.reference, former, images.next, images.next)
    return _switch(context, images, pin, renew, "rolled-back")


def _switch(context: Context, images: Images, pin: Pin, renew: Renew, done: str) -> Outcome:
    name, former = images.name, images.identity
    says = (f"from {images.next[:_ID_SHOWN]} to {pin.identity[:_ID_SHOWN]}",)
    runs = is_running(context, name)
    back = images.pin or Pin(images.reference, former)
    if runs:
        back = back.replace(reference=images.reference, identity=former, failed=pin.identity)
    noted = tried = False
    try:
        with Lock(context.paths.locks, name):
            if pins.read(images.directory) != images.pin:
                raise NsunitError(f"{name}: another command has just chosen its image", hint="try again")
            store = Store(context.paths)
            with store.lock():
                if store.image(pin.identity) is None:
                    raise NsunitError(f"{name}: the image {pin.identity[:_ID_SHOWN]} is not there any more")
                noted = True
                try:
                    pins.prepare_return(images.directory, back)
                    pins.write(images.directory, pin)  # from here on it is in use, and stays
                except FileNotFoundError:
                    hint = f"'nsunit start {name}' takes the newest one"
                    raise NsunitError(f"{name}: it was just removed", hint=hint) from None
        tried = True
        renew(name, runs)
    except BaseException as error:
        if not noted:
            raise
        with Lock(context.paths.locks, name):
            there = pins.go_back(images.directory, pin, images.pin)
        if not (runs and tried and there in (None, pin) and isinstance(error, NsunitError)):
            # Another command has chosen since; or interrupted: it runs whatever it runs, the next start has the former.
            raise
        return Outcome(name, "failed", error=_gone_back(name, pin.identity, former, error, renew))
    with Lock(context.paths.locks, name):
        pins.forget_return(images.directory, pin)
    if not runs:
        return Outcome(name, f"{done}-for-next-start", says)
    pins.forget_uppers(context, name, (pin.former,))
    return Outcome(name, done, says)


def _gone_back(name: str, identity: str, former: str, error: NsunitError, renew: Renew) -> NsunitError:
    """The error that says what has failed, and what runs now: the former image again, if it does."""
    why = error.message.removeprefix(f"{name}: ")
    text = f"{name}: not with the image {identity[:_ID_SHOWN]}: {why}"
    try:
        renew(name, True)
    except NsunitError as second:
        text += f"; and it does not run with {former[:_ID_SHOWN]} again: {second.message.removeprefix(f'{name}: ')}"
        return NsunitError(text, hint=second.hint)
    return NsunitError(f"{text}; it runs {former[:_ID_SHOWN]} again", hint=error.hint)
