"""Work in a process of its own, which tells by one answer how it went.

Where it enters a container it has left the caller's descriptors, and Python's search for modules, behind: nothing that
is in there is ever executed or imported.
"""

from __future__ import annotations

import errno
import json
import os
import tarfile
import zlib

from nsunit.errors import NsunitError
from nsunit.features.images.unpack import confine, zstd
from nsunit.setup import linux, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


FULL = "see 'df' for the file system it is on"


class Worker:
    """A process that does *work* with the descriptors *kept*; that returns the warnings there are."""

    def __init__(self, work: Callable[[], Sequence[str]], kept: Sequence[int]) -> None:
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                linux.prctl(linux.PR_SET_PDEATHSIG, 9)
                confine.close_all_but(sorted({writer, *(fd for fd in kept if fd > 2)}))
                answer = _answer(work)
                with open(writer, "wb") as file:
                    file.write(json.dumps(answer).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(writer)

    def result(self) -> dict[str, object]:
        """Wait for its end; what it tells: `warnings`, or `error` and `hint`, `broken` if the other end is at fault."""
        try:
            with open(self._reader, "rb") as file:
                content = file.read()
        except BaseException:  # a signal: what it works on is about to be taken away
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
            raise
        _, status = os.waitpid(self.pid, 0)
        if status or not content:
            return {"error": "the process that did it was killed", "hint": None}
        found: dict[str, object] = json.loads(content)
        return found


def raise_first(results: Sequence[dict[str, object]], *, to_output: bool = False) -> list[str]:
    """All warnings of *results*; *to_output* says that one of them writes to standard output.

    Raises:
        NsunitError: one of them has failed: the first that did not only lose the other's end of a pipe.
        BrokenPipeError: that was it, and it is the reader of standard output who has gone.
    """
    failed = sorted((item for item in results if "error" in item), key=lambda item: bool(item.get("broken")))
    if failed:
        if to_output and failed[0].get("broken"):
            raise BrokenPipeError(errno.EPIPE, str(failed[0]["error"]))
        hint = failed[0].get("hint")
        raise NsunitError(str(failed[0]["error"]), hint=None if hint is None else str(hint))
    found: list[str] = []
    for item in results:
        warnings = item["warnings"]
        assert isinstance(warnings, list)
        found += warnings
    return found


def _answer(work: Callable[[], Sequence[str]]) -> dict[str, object]:
    try:
        return {"warnings": list(work())}
    except NsunitError as error:
        return {"error": error.message, "hint": error.hint}
    except BrokenPipeError:
        return {"error": "nobody reads what is copied", "hint": None, "broken": True}
    except OSError as error:
        where = f"'{os.fsdecode(error.filename)}': " if isinstance(error.filename, (str, bytes)) else ""
        hint = FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
        return {"error": f"{where}{error.strerror or error}", "hint": hint}
    except spawn.SetupError as error:
        return {"error": str(error), "hint": None}
    except MemoryError:
        return {"error": "it takes more memory than there is", "hint": None}


def preload() -> None:
    """Load what work in a container may need, while the host's files are in sight."""
    confine.load_all()
    zstd.preload()
    _ = (tarfile.TarInfo("x").tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), zlib.decompressobj)
