"""The terminal, by curses of the standard library: lines go out, keys come in.

Debian's python3 has it; where Python was built without, only these views are missing.
"""

from __future__ import annotations

import os
import sys
import time

from nsunit.errors import NsunitError, UsageError
from nsunit.names import printable
from nsunit.record import Record

try:
    import curses
except ImportError:  # pragma: no cover - a Python without it
    curses = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLAIN, BOLD, REVERSE, DIM = "plain", "bold", "reverse", "dim"


class Line(Record):
    """One line of the screen: its text, and how it looks."""

    text: str
    look: str = PLAIN


class Screen:
    """What is on the terminal while a view is shown."""

    def __init__(self, window: curses.window) -> None:
        self._window = window
        window.keypad(True)
        try:
            curses.curs_set(0)
        except curses.error:
            pass  # a terminal whose cursor stays

    @property
    def size(self) -> tuple[int, int]:
        """Lines and columns."""
        return self._window.getmaxyx()

    def show(self, lines: Sequence[Line]) -> None:
        """Have exactly *lines* on the screen, as far as there is room."""
        height, width = self.size
        looks = {BOLD: curses.A_BOLD, REVERSE: curses.A_REVERSE, DIM: curses.A_DIM}
        self._window.erase()
        for number, line in enumerate(lines[:height]):
            text = printable(line.text)[:width].ljust(width if line.look == REVERSE else 0)
            try:
                self._window.addstr(number, 0, text, looks.get(line.look, curses.A_NORMAL))
            except curses.error:
                pass  # the cursor has no place behind the last character of the screen
        self._window.refresh()

    def key(self, seconds: float) -> str:
        """The key that is pressed within *seconds*: a character, KEY_UP and the like, or nothing."""
        self._window.timeout(max(0, int(seconds * 1000)))
        try:
            return self._window.getkey()
        except curses.error:
            return ""


def with_screen(view: Callable[[Screen], None], of: str) -> int:
    """Run *view* on the terminal until it returns, or Ctrl-C ends it; *of* is what the user has typed.

    Raises:
        UsageError: there is no terminal.
        NsunitError: it is one that cannot be drawn on.
    """
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise UsageError(f"{of} needs a terminal", hint="'nsunit stats --watch --json' is for programs")
    if curses is None:
        raise NsunitError(f"{of} needs the module curses of Python", hint="install the package python3")
    try:
        curses.wrapper(lambda window: view(Screen(window)))
    except curses.error as error:
        kind = os.environ.get("TERM", "")
        raise NsunitError(
            f"{of}: the terminal '{printable(kind)}' cannot be drawn on ({error})",
            hint="set TERM to what it is, for instance TERM=xterm",
        ) from None
    except KeyboardInterrupt:
        pass
    return 0


def until(moment: float) -> float:
    """Seconds to *moment*, of the monotonic clock; not less than 0."""
    return max(0.0, moment - time.monotonic())
