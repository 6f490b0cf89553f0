"""A container that is paused for as long as something is done with its files.

It goes on whatever is killed: a unit freezes it, waits for the end of this process and thaws it, so that systemd sees
to it, even where all of the caller's session ends at once.
"""

from __future__ import annotations

import os

from nsunit.core.jobs import stop_what_is_left
from nsunit.core.programs import directory_with
from nsunit.core.running import is_frozen
from nsunit.errors import NsunitError
from nsunit.features.images.unit import pause_unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.running import Running

_SECONDS = 60


class Paused:
    """Freezes *running* as a context, unless it is frozen already.

    Raises:
        NsunitError: systemd cannot freeze it.
    """

    def __init__(self, context: Context, running: Running) -> None:
        self.context = context
        self.running = running
        self._unit = ""

    def __enter__(self) -> None:
        """Freeze it."""
        if is_frozen(self.running):
            return
        systemctl = directory_with(("systemctl",)) + "/systemctl"
        words = (systemctl, "--user") if self.context.user else (systemctl,)
        wait = (directory_with(("tail",)) + "/tail", f"--pid={os.getpid()}", "--follow", "/dev/null")
        unit = pause_unit(os.urandom(6).hex(), self.running.slice, words, wait)
        job = self.context.bus.start_transient(unit)
        self._unit = unit.name
        try:
            if self.context.bus.wait(job, _SECONDS) != "done":
                self._unit = ""
                hint = f"see 'journalctl -u {unit.name}', or have it go on with --no-pause"
                raise NsunitError(f"{self.running.name}: it cannot be paused", hint=hint)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_exception: object) -> None:
        """Let it go on."""
        if self._unit:
            stop_what_is_left(self.context, self._unit, _SECONDS)
            self._unit = ""
