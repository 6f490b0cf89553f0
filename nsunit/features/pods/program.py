"""The program of a pod's service: `make PINS LOCKS DIRECTORY` makes and pins its namespaces, `remove PINS LOCKS` ends.

DIRECTORY has the plan, and PINS, one for each pod, is where the namespaces are mounted.  systemd starts it as root.
"""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.features.namespaces import pins
from nsunit.setup import linux, mounts, namespaces, notify, process, spawn
from nsunit.setup.build import Build
from nsunit.setup.main import read_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.setup.operation import Operation


def main(argv: Sequence[str]) -> int:
    """Do it, and return the exit status; an error is one line, on standard error and as the service's status."""
    place = argv[2]
    try:
        if argv[1] == "make":
            make(place, argv[3], read_plan(argv[4]))
        else:
            pins.remove_pins(place, argv[3])
    except (NsunitError, OSError, spawn.SetupError) as error:
        text = str(error) if str(error).startswith("Failed to ") else f"Failed to {argv[1]} the namespaces: {error}"
        os.write(2, f"<3>{text}\n".encode())
        if address := os.environ.get("NOTIFY_SOCKET", ""):
            notify.send(address, f"STATUS={text}")
        return 1
    return 0


def make(place: str, locks: str, operations: Sequence[Operation]) -> None:
    """Make the namespaces that *operations* describe, attach the network, and pin them in the directory *place*.

    Raises:
        spawn.SetupError: the kernel refused something, or the network could not be attached.
        NsunitError: they cannot be pinned.
    """
    pins.remove_pins(place, locks)  # of one that was killed together with what should have cleaned up after it
    build = Build(place)
    kinds: tuple[str, ...] = ()
    for operation in operations:
        _do(operation, operation.prepare, build)
        if isinstance(operation, namespaces.Namespaces):
            kinds = operation.kinds
    with _Maker(operations, kinds, build) as pid:
        found = {kind: os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds}
        for operation in operations:
            _do(operation, operation.attach, pid, build)
    if build.has_userns:
        found["user"] = build.userns_fd
    pins.make_pins(place, locks, found)


class _Maker:
    """A process in new namespaces of the *kinds*, in which it has carried out *operations*, while the context lasts."""

    def __init__(self, operations: Sequence[Operation], kinds: Sequence[str], build: Build) -> None:
        report_reader, report_writer = os.pipe()
        hold_reader, self.hold_fd = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.hold_fd)  # else this copy would keep the read below from ever ending
                _carry_out(operations, kinds, build)
                os.write(report_writer, b".")
                os.read(hold_reader, 1)
            except (OSError, spawn.SetupError) as error:
                os.write(report_writer, str(error).encode())
            finally:
                os._exit(0)
        os.close(report_writer)
        os.close(hold_reader)
        self.report_fd = report_reader

    def __enter__(self) -> int:
        report = os.read(self.report_fd, 4096).decode("utf-8", "replace")
        if report != ".":
            self.__exit__()
            raise spawn.SetupError(report or spawn.KILLED)
        return self.pid

    def __exit__(self, *_exception: object) -> None:
        os.close(self.hold_fd)
        os.close(self.report_fd)
        os.waitpid(self.pid, 0)


def _carry_out(operations: Sequence[Operation], kinds: Sequence[str], build: Build) -> None:
    if build.has_userns:
        namespaces.become_root_of(build.userns_fd)
    flags = 0
    for kind in kinds:
        flags |= namespaces.KINDS[kind]
    linux.unshare(flags)
    # The host's own /proc shows the parameters of the namespaces of whoever opens their files.
    build.proc_fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for operation in operations:
        if isinstance(operation, (process.Hostname, namespaces.Loopback, mounts.Sysctl)):
            _do(operation, operation.execute, build)


def _do(operation: Operation, deed: Callable[..., None], *arguments: Build | int) -> None:
    try:
        deed(*arguments)
    except OSError as error:
        raise spawn.explain(operation, error) from error
