"""What is under way, as one line that is written over, for who looks at a terminal."""

from __future__ import annotations

import os
import sys
import time

from nsunit.cli import report, warn
from nsunit.cli.output import format_size
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.errors import NsunitError

_AFTER_SECONDS = 1.0  # what takes less needs no line
_AGAIN_SECONDS = 0.2


class Line:
    """Shows on standard error how far something is, how fast that goes, and how long it will take."""

    def __init__(self) -> None:
        self.begun = self.shown = 0.0
        self.first = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that *done* bytes of *total* are; without any the line is taken away."""
        now = time.monotonic()
        if not total:
            if self.shown:
                _put("")
            self.begun = self.shown = 0.0
            return
        if not self.begun:
            self.begun, self.first = now, done
        if now - self.begun < _AFTER_SECONDS or now - self.shown < _AGAIN_SECONDS:
            return
        self.shown = now
        _put(f"{printable(what)}: {told(done, total, (done - self.first) / (now - self.begun))}")


show = Line()  # there is one terminal


class Wait:
    """Shows what is waited for, and how long by now."""

    def __init__(self) -> None:
        self.begun = self.shown = 0.0

    def __call__(self, what: str) -> None:
        """Show *what* it is; nothing takes the line away."""
        now = time.monotonic()
        if not what:
            if self.shown:
                _put("")
            self.begun = self.shown = 0.0
            return
        self.begun = self.begun or now
        if now - self.begun >= _AFTER_SECONDS:
            self.shown = now
            _put(f"{int(now - self.begun)} s: {printable(what)}")


wait = Wait()


class Count:
    """Shows how many containers of many are done, how long the others will take, and what fails as soon as it does."""

    def __init__(self) -> None:
        self.begun = self.shown = 0.0
        self.done = self.total = 0

    def __call__(self, asked: int, done: int, total: int, error: NsunitError | None) -> None:
        """Show that systemd was *asked* for so many of *total*, and *done* are done; *error* is why one has failed."""
        now = time.monotonic()
        self.begun, self.done, self.total = self.begun or now, done, total
        if error is not None or done == total:
            self._clear()
        if error is not None:
            report(error)
            error.told = True
        if done == total:
            self.begun = 0.0
        elif now - self.begun >= _AFTER_SECONDS and now - self.shown >= _AGAIN_SECONDS:
            self.shown = now
            _put(counted(asked, done, total, now - self.begun))

    def _clear(self) -> None:
        if self.shown:
            _put("")
        self.shown = 0.0


count = Count()


def interrupted() -> None:
    """Leave no line where a command was interrupted; of many containers say how many were done."""
    if count.shown or show.shown or wait.shown:
        _put("")
    if count.shown:
        warn(f"interrupted: {count.done} of {count.total} were done")


def counted(asked: int, done: int, total: int, seconds: float) -> str:
    """How far it is after *seconds*: `12 of 50 done, 20 under way, 3 s left`."""
    text = f"{done} of {total} done, {asked - done} under way"
    if not asked:
        return text
    left = int(seconds * (2 * total - asked - done) / (asked + done)) + 1  # to ask is half of it
    return f"{text}, {left} s left" if left < _LONG else f"{text}, {left // 60} min left"


def told(done: int, total: int, rate: float) -> str:
    """How far it is, at *rate* bytes a second: `12.5M of 45M, 3.1M/s, 11 s left`."""
    text = f"{format_size(done)} of {format_size(total)}, {format_size(int(rate))}/s"
    if rate <= 0:
        return text
    left = int((total - done) / rate) + 1
    return f"{text}, {left} s left" if left < _LONG else f"{text}, {left // 60} min left"


_LONG = 120  # seconds


def _put(text: str) -> None:
    """Have the terminal's line be *text*, as far as there is room; nothing takes it away."""
    sys.stderr.write(f"\r\x1b[K{text[: _columns() - 1]}")
    sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
