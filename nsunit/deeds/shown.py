"""What containers are shown of their limits, written anew after one of these has changed.

`nsunit set` and the like do so themselves.  After `systemctl set-property` systemd starts this, as `python3 -SI run.py
deeds.shown DIRECTORY`, since nsunit-limits@.path has seen that the kernel's files were written to.  nsunit-limits.path
has it started for those of nsunit.slice, and for containers that have started below such a limit.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time

from nsunit.names import ROOT_SLICE
from nsunit.setup import CGROUP_ROOT, write_over
from nsunit.setup.namespaces import LIMITS, SHOWN_DIRECTORY, SHOWN_GROUP, has_limits, read_file, tightest

AGAIN_SECONDS = 1
_GONE = (errno.ENOENT, errno.ENODEV)  # ENODEV: the cgroup went while its file was open


def refresh(runtimes: str, root: str = CGROUP_ROOT) -> None:
    """Bring what is shown up to date for all containers, whose directories are in *runtimes*.

    Those that end meanwhile are passed over.
    """
    try:
        names = os.listdir(runtimes)
    except FileNotFoundError:
        return
    for name in names:
        directory = f"{runtimes}/{name}/{SHOWN_DIRECTORY}"
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # who writes last has read last
            _refresh(fd, directory, root)
        except OSError as error:
            if error.errno not in _GONE:
                raise
        finally:
            os.close(fd)


def _refresh(fd: int, directory: str, root: str) -> None:
    group = read_file(f"{directory}/{SHOWN_GROUP}")
    there = os.listdir(fd)
    for name in LIMITS:
        limit = tightest(group, name, root) if name in there else ""
        if limit:
            write_over(fd, name, limit)


def main(argv: list[str]) -> int:
    """Do it twice: while a path unit's service runs, systemd does not look for what triggers it.

    Limits of nsunit.slice are for all, which takes the bus and much else: a program of its own.
    """
    refresh(argv[1])
    if not os.geteuid() and has_limits(f"/{ROOT_SLICE}"):
        os.execv(sys.executable, (sys.executable, "-SI", sys.argv[0], "deeds.session.followed", argv[1]))
    time.sleep(AGAIN_SECONDS)
    refresh(argv[1])
    return 0
