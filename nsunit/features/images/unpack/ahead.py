"""Pieces that are made by a thread, ahead of whoever takes them.

Reading, hashing and decompressing let go of Python's lock, so they take another processor than making files does.
"""

from __future__ import annotations

import ctypes
import queue
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECES_MAX = 16


def preload() -> None:
    """Load what the C library would look for when a thread ends, while the host's files are in sight."""
    try:
        ctypes.CDLL("libgcc_s.so.1")
    except OSError:
        return  # nor is it where it would be looked for: it is linked in, or not needed


def ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same *pieces*, of which some are ready; what is raised among them is raised in its place.

    Where they are not taken to their end, the thread waits until the process ends.
    """
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_PIECES_MAX)

    def make() -> None:
        try:
            for piece in pieces:
                ready.put(piece)
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    threading.Thread(target=make, daemon=True).start()
    while (found := ready.get()) is not None:
        if isinstance(found, BaseException):
            raise found
        yield found
