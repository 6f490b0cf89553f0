"""The task `fill`, in a unit of its own: run a template."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque

from nsunit.errors import NsunitError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

_SAID_MAX = 1 << 16  # bytes of a definition
_LINE_MAX = 4096


def fill(job: dict[str, Any]) -> dict[str, object]:
    """Run the program of *job* and return the lines that it prints for a definition.

    What it says on standard error goes to the journal.  LXC's templates print nothing that counts, and write a config.

    Raises:
        NsunitError: it has failed, or left the root empty.
    """
    words, root, of_lxc = job["words"], job["root"], job["of_lxc"]
    config = f"{job['config']}/config"
    if of_lxc:
        with open(config, "x"):
            pass
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if of_lxc else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=job["environment"],
        cwd="/",
        umask=0o022,
    )
    assert process.stderr is not None
    last: deque[str] = deque(maxlen=1)
    relay = threading.Thread(target=_relay, args=(process.stderr, last))
    relay.start()
    said = b""
    if process.stdout is not None:
        said = process.stdout.read(_SAID_MAX + 1)
        process.stdout.close()
    status = process.wait()
    relay.join()
    called = os.path.basename(words[0])
    if len(said) > _SAID_MAX:  # before its status: it has written to a pipe that was closed
        raise NsunitError(f"the template '{printable(called)}' says more than a definition can be")
    if status:
        why = last[0] if last else "it did not say why"
        raise NsunitError(
            f"the template '{printable(called)}' failed with status {status}: {why}",
            hint=f"see 'journalctl -t {job['identifier']}'",
        )
    with os.scandir(root) as entries:
        if next(entries, None) is None:
            raise NsunitError(f"the template '{printable(called)}' has left the root empty")
    return {"said": said.decode("utf-8", "replace"), "config": _read(config) if of_lxc else ""}


def _relay(stream: IO[bytes], last: deque[str]) -> None:
    while line := stream.readline(_LINE_MAX):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        if text := line.decode("utf-8", "replace").strip():
            last.append(printable(text[:200]))


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(_SAID_MAX).decode("utf-8", "replace")
