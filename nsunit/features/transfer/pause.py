"""A container that is paused for as long as something is done with its files."""

from __future__ import annotations

import os

from nsunit.core.context import Context
from nsunit.core.running import is_frozen
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.running import Running


class Paused:
    """Freezes *running* as a context, unless it is frozen already.

    It goes on in any case: a process of its own waits for the end of this one, and lets it go on if this was killed.
    """

    def __init__(self, context: Context, running: Running) -> None:
        self.context = context
        self.running = running
        self._writer = -1
        self._guard = 0

    def __enter__(self) -> None:
        """Freeze it."""
        if is_frozen(self.running):
            return
        reader, self._writer = os.pipe()
        self._guard = os.fork()
        if self._guard == 0:
            self._watch(reader)
        os.close(reader)
        self.context.bus.freeze(self.running.slice)

    def __exit__(self, *_exception: object) -> None:
        """Let it go on."""
        if not self._guard:
            return
        try:
            self.context.bus.thaw(self.running.slice)
            os.write(self._writer, b".")
        finally:
            os.close(self._writer)
            os.waitpid(self._guard, 0)

    def _watch(self, reader: int) -> None:
        status = 1
        try:
            os.setsid()  # the terminal's signals are not for it
            null = os.open("/dev/null", os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            os.dup2(reader, 3)
            linux.close_range(4)
            if not os.read(3, 1):
                own = Context(self.context.search, self.context.paths, user=self.context.user)
                own.bus.thaw(self.running.slice)
            status = 0
        finally:
            os._exit(status)
