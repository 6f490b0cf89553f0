"""events: numbers of a container's cgroup, once or again and again, and a line when memory runs out."""

from __future__ import annotations

import errno
import select
import sys
import time

from nsunit.jsontext import dumps
from nsunit.oci.cgroup import fs
from nsunit.oci.errors import OciError, UsageError
from nsunit.oci.spec.limits.stats import event, stats_of
from nsunit.oci.state import STOPPED
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given

_DEFAULT = 5.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module.

    Raises:
        OciError: it does not run, or has no cgroup of its own.
    """
    (identity,) = given.operands
    interval = seconds_of(given.one("interval")) if given.has("interval") else _DEFAULT
    container = context.store.load(identity)
    if context.store.status(container) == STOPPED:
        raise OciError(f"container with id {identity} is not running")
    if not fs.exists(container.place.path):
        raise OciError("the container has no cgroup of its own: there are no numbers")
    directory = fs.directory(container.place.path)
    if given.has("stats"):
        return 0, _numbers(identity, directory)
    _follow(identity, directory, interval)
    return 0, ""


def seconds_of(text: str) -> float:
    """The time that Go calls *text*, as 5s or 1m30s.

    Raises:
        UsageError: it is none, or no time at all.
    """
    total, number, rest = 0.0, "", text
    while rest:
        if rest[0].isdecimal() or rest[0] == ".":
            number, rest = number + rest[0], rest[1:]
            continue
        unit = "ms" if rest.startswith("ms") else rest[0]
        if not number or number.count(".") > 1 or number == "." or unit not in _UNITS:
            raise UsageError(f"--interval: '{text}' is no time, as 5s and 1m are")
        total += float(number) * _UNITS[unit]
        number, rest = "", rest[len(unit) :]
    if number or not total:
        raise UsageError(f"--interval: '{text}' is no time, as 5s and 1m are")
    return total


def _numbers(identity: str, directory: str) -> str:
    return dumps(event(identity, "stats", stats_of(lambda name: _read(directory, name), os.listdir(directory)))) + "\n"


def _read(directory: str, name: str) -> str:
    try:
        with open(f"{directory}/{name}") as file:
            return file.read()
    except OSError:
        return ""  # a controller that is not there


def _follow(identity: str, directory: str, interval: float) -> None:
    """Write lines until the cgroup has no more processes."""
    watched = [fd for fd in (_watch(directory, name) for name in ("cgroup.events", "memory.events")) if fd >= 0]
    poll = select.poll()
    for fd in watched:
        poll.register(fd, select.POLLPRI)
    killed, due = _count(directory), time.monotonic() + interval
    try:
        while "populated 1" in _read(directory, "cgroup.events"):
            if poll.poll(max(0.0, due - time.monotonic()) * 1000):
                for fd in watched:
                    os.pread(fd, 4096, 0)  # or it is told again at once
                if _count(directory) > killed:
                    killed = _count(directory)
                    _write(dumps(event(identity, "oom")) + "\n")
            if time.monotonic() >= due:
                due += interval
                _write(_numbers(identity, directory))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EPIPE):  # it is gone, or nobody reads any more
            raise


def _watch(directory: str, name: str) -> int:
    try:
        fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    os.pread(fd, 4096, 0)
    return fd


def _count(directory: str) -> int:
    lines = (line.partition(" ") for line in _read(directory, "memory.events").splitlines())
    return sum(int(value) for key, _, value in lines if key == "oom_kill")


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
