"""kill: a signal to a container's process, or to all."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum

from nsunit.oci.cgroup import fs, manager
from nsunit.oci.errors import OciError
from nsunit.oci.state import STOPPED, Container, is_alive
from nsunit.setup import cgroup_of
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given

_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG"
    " XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_NUMBERS = {name: number for number, name in enumerate(_NAMES.split(), 1)} | {"IOT": 6, "CLD": 17, "POLL": 29}
_RTMIN, _LAST = 34, 64
SIGKILL = 9


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    identity, text = given.operands[0], (*given.operands[1:], "TERM")[0]
    number = signal_number(text)
    if given.has("regex"):
        for name in context.store.matching(identity):
            container = context.store.load(name)
            if context.store.status(container) != STOPPED:
                _kill(context, container, number, everything=given.has("all"))
        return 0, ""
    _kill(context, context.store.load(identity), number, everything=given.has("all"))
    return 0, ""


def _kill(context: Context, container: Container, number: int, *, everything: bool) -> None:
    if everything and manager.is_own(container.place):
        _all(container, number)
    elif context.store.status(container) == STOPPED:
        raise OciError("container not running")
    elif number == SIGKILL and not _has_processes_of_its_own(container):
        _all(container, number)
    else:
        send(container, number)


def signal_number(text: str) -> int:
    """The number of `9`, `KILL`, `SIGKILL`, `SIGRTMIN+3`.

    Raises:
        OciError: it is no signal.
    """
    name = text.upper().removeprefix("SIG")
    number = int(text) if text.isdecimal() else _NUMBERS.get(name, 0)
    for base, first, sign in (("RTMIN", _RTMIN, "+"), ("RTMAX", _LAST, "-")):
        word, given, distance = name.partition(sign)
        if word == base and (distance.isdecimal() or not given):
            number = first + int(sign + (distance or "0"))
    if not 0 < number <= _LAST:
        raise OciError(f'unknown signal "{text}"')
    return number


def send(container: Container, number: int) -> None:
    """Send signal *number* to the container's process.

    Raises:
        OciError: it has ended.
    """
    try:
        pidfd = os.pidfd_open(container.pid)
        try:
            if not is_alive(container):
                raise ProcessLookupError
            _signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)
    except ProcessLookupError:
        raise OciError("container not running") from None


def _all(container: Container, number: int) -> None:
    if not manager.is_own(container.place):
        send(container, number)
    elif number == SIGKILL:
        fs.kill(container.place.path)
    else:
        for pid in fs.processes(container.place.path):
            _signal_member(container.place.path, pid, number)


def _signal_member(group: str, pid: int, number: int) -> None:
    """Send a signal to process *pid* of the cgroup *group*, unless that has ended, and may be another by now."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if f"{cgroup_of(str(pid))}/".startswith(f"{group}/"):
            _signal.pidfd_send_signal(pidfd, number)
    except (ProcessLookupError, FileNotFoundError):
        pass
    finally:
        os.close(pidfd)


def _has_processes_of_its_own(container: Container) -> bool:
    """Whether it is process 1 of a PID namespace, whose end is that of all."""
    try:
        with open(f"/proc/{container.pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"NSpid:"):
                    return line.split()[-1] == b"1"
    except FileNotFoundError:
        pass
    return True
