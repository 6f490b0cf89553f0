"""Having a task done in a unit of its own: what it is told, what it answers, and who is told how far it is."""

from __future__ import annotations

import contextlib
import json
import os
import sys

from nsunit.bus.protocol import TIMEOUT
from nsunit.core.jobs import stop_what_is_left
from nsunit.errors import BusError, NsunitError
from nsunit.features import STARTER, load
from nsunit.features.images import program
from nsunit.features.images.unit import SECONDS
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.units import Unit

_GRACE_SECONDS = 60
_TICK_SECONDS = 0.25


def command(place: str, module: str = program.__name__) -> tuple[str, ...]:
    """What a unit executes for the task in the directory *place*: the program *module*."""
    return sys.executable or "/usr/bin/python3", "-SIB", STARTER, module.removeprefix("nsunit."), place


def own_ids(context: Context) -> list[str]:
    """The maps of a user's ids, as rootless.setup.OwnUsers has them; none for the system."""
    return list(load("rootless", "deeds").own_ids(context).arguments) if context.user else []


def carry_out(
    context: Context, place: str, job: dict[str, Any], unit: Unit, watch: Callable[[], object] | None = None
) -> dict[str, Any]:
    """What the task *job* answers, done by *unit* in the directory *place*; *watch* is called while it is.

    Raises:
        NsunitError: what it says, or that the unit has failed.
    """
    files.write_file(place + "/job", json.dumps(job).encode())
    files.write_file(place + "/error", b" " * program.ERROR_ROOM)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(place + "/" + program.CALLER, 0o600)
    caller = os.open(place + "/" + program.CALLER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        is_done = _is_done(context, unit, watch)
    finally:
        os.close(caller)
    if not is_done:
        raise _failure(place, unit.name)
    content = files.read_file(place + "/result")
    assert content is not None
    found: dict[str, Any] = json.loads(content)
    return found


def _is_done(context: Context, unit: Unit, watch: Callable[[], object] | None) -> bool:
    """Start *unit*, and tell whether it came to a good end; who is interrupted takes it along."""
    try:
        job = context.bus.start_transient(unit)
        if watch is None:
            return context.bus.wait(job, SECONDS + _GRACE_SECONDS) == "done"
        while True:  # the unit has a limit of its own
            try:
                return context.bus.wait(job, _TICK_SECONDS) == "done"
            except BusError as error:
                if error.name != TIMEOUT:
                    raise
            finally:
                watch()
    except BaseException:  # while it was asked for, too: it writes to a directory that is about to go
        with contextlib.suppress(BusError):  # the first one is to be told
            stop_what_is_left(context, unit.name, _GRACE_SECONDS)
        raise


def _failure(place: str, unit: str) -> NsunitError:
    content = (files.read_file(place + "/error") or b"").strip()
    if content:
        told = json.loads(content)
        return NsunitError(told["message"], hint=told["hint"])
    return NsunitError("the unit that was to get an image has failed", hint=f"see 'journalctl -u {unit}'")
