"""What two nsunits say to each other over a pair of descriptors: lines of JSON, and files in pieces.

Each piece has its length before it, four bytes in network order; one of no bytes is the end.  So an end that was cut
off is none, and whatever a file is, the next line begins where it ends.
"""

from __future__ import annotations

import json
import os
import struct

from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GREETING = "nsunit-deploy"  # the key of the first line, whose value is FORMAT
FORMAT = 1
_LINE_MAX = 128 << 20  # bytes: digests of the files of many layers
_NOISE_MAX = 1 << 16  # bytes that a shell over there may say before nsunit does
_PIECE = 1 << 18
_LENGTH = struct.Struct("!I")


class EndedError(Exception):
    """The other side is gone, or never was."""


class Channel:
    """Reads from one descriptor and writes to the other; *sent* and *received* count the bytes."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer
        self.sent = self.received = 0
        self._waiting = b""

    def greet(self, version: str) -> None:
        """Say who is there: the first line of who is asked."""
        self.say({GREETING: FORMAT, "nsunit": version})

    def wait_for_greeting(self) -> None:
        """Pass over what a shell says on its way, up to the greeting.

        Raises:
            EndedError: there is none.
            NsunitError: it is one of another format.
        """
        while True:
            line = self._line(_NOISE_MAX)
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if isinstance(found, dict) and GREETING in found:
                break
            if self.received > _NOISE_MAX:
                raise EndedError
        if found[GREETING] != FORMAT:
            raise NsunitError(
                f"its nsunit, {str(found.get('nsunit'))[:40]}, speaks another format than this one",
                hint="install the same version on both sides",
            )

    def say(self, message: dict[str, Any]) -> None:
        """Send *message*."""
        self._write(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """The next message.

        Raises:
            EndedError: there is none any more.
            NsunitError: it makes no sense.
        """
        try:
            found = json.loads(self._line(_LINE_MAX))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise NsunitError("what the other side says makes no sense")
        return found

    def send_file(self, fd: int, tell: Callable[[], object] = lambda: None) -> None:
        """Send all that comes from *fd*; *tell* is called again and again meanwhile."""
        while piece := os.read(fd, _PIECE):
            self._write(_LENGTH.pack(len(piece)))
            self._write(piece)
            tell()
        self._write(_LENGTH.pack(0))

    def take_file(self, fd: int) -> None:
        """Write to *fd* what the other side sends.

        Raises:
            EndedError: it has ended before its end.
        """
        while length := _LENGTH.unpack(self._exactly(_LENGTH.size))[0]:
            if length > _PIECE:
                raise NsunitError("what the other side sends makes no sense")
            view = memoryview(self._exactly(length))
            while view:
                view = view[os.write(fd, view) :]

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            try:
                count = os.write(self.writer, view)
            except BrokenPipeError:
                raise EndedError from None
            self.sent += count
            view = view[count:]

    def _more(self) -> None:
        piece = os.read(self.reader, _PIECE)
        if not piece:
            raise EndedError
        self.received += len(piece)
        self._waiting += piece

    def _line(self, most: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while b"\n" not in self._waiting:
            pieces.append(self._waiting)
            size += len(self._waiting)
            self._waiting = b""
            if size > most:
                raise EndedError
            self._more()
        head, _, self._waiting = self._waiting.partition(b"\n")
        return b"".join((*pieces, head))

    def _exactly(self, size: int) -> bytes:
        while len(self._waiting) < size:
            self._more()
        found, self._waiting = self._waiting[:size], self._waiting[size:]
        return found
