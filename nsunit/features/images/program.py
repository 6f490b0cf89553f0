"""The program of a unit that fetches, unpacks or packs: `run.py MODULE STAGING`, a directory with the file `job`.

It leaves there a layout, or the layers, each as the job says or by its number, and `result`, or `error` and exits with
1.  systemd starts it; to unpack it has root's privileges over files and mounts, and each layer is unpacked by a process
that has less.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os

from nsunit.errors import NsunitError
from nsunit.features import load
from nsunit.features.images.fetch.archive import archive
from nsunit.features.images.fetch.work import copy, fetch
from nsunit.features.images.out.work import flatten, pack_all, send
from nsunit.features.images.roots.fill import fill
from nsunit.features.images.unpack.work import unpack
from nsunit.features.images.unpack.worker import FULL
from nsunit.setup import linux
from nsunit.setup.build import Build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Task = Callable[[dict[str, Any]], dict[str, Any]]

TASKS: dict[str, Task] = {
    "archive": archive,
    "copy": copy,
    "fetch": fetch,
    "fill": fill,
    "flatten": flatten,
    "pack": pack_all,
    "send": send,
    "unpack": unpack,
}


CALLER = "caller"  # a FIFO in the directory


def main(argv: list[str], tasks: dict[str, Task] = TASKS) -> int:
    """Do that one of *tasks* which the job names, and return the exit status."""
    staging = argv[1]
    os.umask(0o077)
    # As long as this runs nobody sweeps it away, whatever becomes of the command that started it.
    fcntl.flock(os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), fcntl.LOCK_SH)
    if not end_with_caller(f"{staging}/{CALLER}"):
        return 1  # it has ended before
    with open(f"{staging}/job") as file:
        job = json.load(file)
    try:
        if job["ids"]:
            # A user's systemd cannot take the network away, and newuidmap(1) has no effect in a unit that is confined.
            load("rootless", "setup").OwnUsers(*job["ids"]).enter((), Build(""))
            linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWIPC)
        answer: dict[str, object] = tasks[job["task"]](job)
    except NsunitError as error:
        return _fail(staging, error.message, error.hint)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        path = error.filename if isinstance(error.filename, (str, bytes)) else os.path.dirname(staging) * is_full
        where = f"{os.fsdecode(path)}: " if path else ""
        return _fail(staging, where + (error.strerror or str(error)), FULL if is_full else None)
    with open(f"{staging}/result", "w") as file:
        json.dump(answer, file)
    return 0


def end_with_caller(path: str) -> bool:
    """Have this process end, and its unit with it, when nobody has the FIFO *path* open for writing; False if it is so.

    The command holds it open for as long as it waits: that is killed, and what it has begun ends instead of going on
    for hours.  The kernel sends the signal, whose default is to end, so nothing here has to look.
    """
    fifo = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.fcntl(fifo, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fifo, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    try:
        os.read(fifo, 1)
    except BlockingIOError:
        return True
    return False


def _fail(staging: str, message: str, hint: str | None) -> int:
    with open(f"{staging}/error", "r+b") as file:  # it has its room already: the disk may be full
        file.write(json.dumps({"message": message[:_TEXT_MAX], "hint": hint and hint[:_TEXT_MAX]}).encode())
    return 1


_TEXT_MAX = 600  # characters; as JSON has them, two such texts fit into ERROR_ROOM
ERROR_ROOM = 8192  # bytes
