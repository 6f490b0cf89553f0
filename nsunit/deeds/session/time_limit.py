"""`RuntimeMaxSec=` in the foreground: systemd ends the scope, and this process says so, and sees to it that it ends."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the C half: the Python half imports enum
import os
import time

from nsunit.core.running import catches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition

_INFINITY = (1 << 64) - 1
_USEC = 1_000_000
_LATER_SECONDS = 0.2  # systemd is the first to act
_LONGEST_SECONDS = 1e9  # 30 years; no timer of Python's takes more than 292


class TimeLimit:
    """How long the payload of *definition* may run, if there is an end to it; `begin` has its time count."""

    def __init__(self, definition: Definition) -> None:
        said = {item.name: item.value for item in definition.properties_of("Service")}
        limit = said.get("RuntimeMaxUSec")
        self.seconds = limit / _USEC if isinstance(limit, int) and 0 < limit < _INFINITY else 0.0
        self.stop_signal = definition.container.stop_signal
        self.began = 0.0
        self.pidfd = -1
        self.pid = 0

    def begin(self, pid: int) -> None:
        """Kill payload *pid* when its time is up, if it would ignore that it is asked to end."""
        if self.seconds:
            self.pid, self.pidfd = pid, os.pidfd_open(pid)
            self.began = time.monotonic()
            if self.seconds < _LONGEST_SECONDS:
                signal.signal(signal.SIGALRM, self._end)
                # It comes again, since one may come just before a wait, when Python has looked for signals already.
                signal.setitimer(signal.ITIMER_REAL, self.seconds + _LATER_SECONDS, _LATER_SECONDS)

    def is_over(self) -> bool:
        """Whether the payload, which has ended, has had all its time."""
        if self.pidfd < 0:
            return False
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.close(self.pidfd)
        return time.monotonic() - self.began >= self.seconds

    def _end(self, _number: int, _frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)  # what asks to end counts as it is now: a handler may be for once
        try:
            if not catches(self.pid, self.stop_signal):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return
