"""One machine of a user-mode kernel (Documentation/virt/uml): a Linux that is a process of this host, with cgroup v2.

It has the controllers that this host may lack, at several times the speed of the emulated machine.  Its kernel is that
of Debian sid for every release, with one processor; what a test needs beyond controllers for memory, cpu, pids and io
(cpuset, huge pages, PSI, nftables, the release's own kernel) is in qemu's machine only.  A reboot is the same
process, which executes the kernel again, with the same disks and lines.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import cache, image, owned, tree
from .client import Client, Lost, connect
from .qemu import Housed

PORTS = 6  # commands that can run in one machine at the same time
PIDFD_GETFD = 438  # the number of pidfd_getfd(2)
TURNS = itertools.count(os.getpid())  # of processors: each machine of a run has the next one
BOOT = Path(__file__).with_name("user-mode-boot")
# As qemu's machine has them, where they mean something here.  No other kernel of Debian has
# groups of real time: with them, a policy of real time is refused wherever there is the controller `cpu`.
KERNEL_ARGUMENTS = (
    "root=/dev/ubda rw quiet loglevel=4 panic=-1 init=/usr/lib/nsunit-test/user-mode-init random.trust_cpu=on"
    " seccomp=auto rt_group_sched=0 systemd.unified_cgroup_hierarchy=1 systemd.show_status=no systemd.log_color=no"
).split()


def kernel() -> Path:
    """Return the directory with the kernel, its modules and its C library.  Raises Unavailable."""
    archive = tree.tree("sid", "user-mode")

    def build(path: Path) -> None:
        image.extract(archive, path)
        for name in ("lib", "lib64"):
            with contextlib.suppress(FileExistsError):
                (path / name).symlink_to(f"usr/{name}")
        for name in ("dev", "proc", "tmp", "machine", "image"):  # where user-mode-boot mounts
            (path / name).mkdir(exist_ok=True)

    return cache.entry("kernel", cache.key_of(str(archive)), build)


def dial(path: Path) -> socket.socket:
    """Take the far end of a machine's serial line, whose number the file has.  Raises OSError.

    The machine keeps it open, so that the line does not hang up; what was said to a client before is dropped.
    """
    pid = owned.noted(path.with_name("pid"))
    if not pid:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    process = os.pidfd_open(pid)
    try:
        fd = owned.LIBC.syscall(PIDFD_GETFD, process, int(path.read_text()), 0)
    finally:
        os.close(process)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    connection = socket.socket(fileno=fd)
    with contextlib.suppress(BlockingIOError):
        while connection.recv(1 << 16, socket.MSG_DONTWAIT):
            pass
    return connection


class UserMode(Housed):
    """A machine of a user-mode kernel by name."""

    def exists(self) -> bool:
        """Return whether a directory of that name belongs to a machine of this kind."""
        return (self.directory / "line.0").exists()

    def start(self, disk: Path, *, memory: int = 2048, tied: bool = False) -> None:
        """Start the machine from an image, which stays untouched; a tied one ends with this thread at the latest.

        Raises Lost if it runs already, Unavailable if there is no kernel for it.
        """
        top = kernel()
        self.make(disk)
        # A pid namespace of its own, since all that runs in it is a process here, too, and has to end with it.
        command = ["nice", "-n4", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        command += [str(BOOT), str(top), str(self.directory), str(disk), str(memory), *KERNEL_ARGUMENTS]
        with self.lines() as (descriptors, options), self.console.open("w") as console:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                pass_fds=descriptors,
                preexec_fn=owned.end_with_parent if tied else None,
            )
            # Kernel and programs take turns: to wake the other one is fifteen times as fast on the same processor.
            processors = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(process.pid, {processors[next(TURNS) % len(processors)]})
        owned.note(self.directory / "pid", process.pid)

    @contextmanager
    def lines(self) -> Iterator[tuple[list[int], list[str]]]:
        """Make the serial lines; the body gets the machine's descriptors, and the kernel's options for them.

        Sockets, since a pseudo terminal that was full does not always tell the kernel when it is not so any more.
        """
        with contextlib.ExitStack() as stack:
            descriptors, options = [], []
            for number in range(PORTS):
                near, far = (stack.enter_context(end) for end in socket.socketpair())
                descriptors += [near.fileno(), far.fileno()]
                (self.directory / f"line.{number}").write_text(str(far.fileno()))
                options.append(f"ssl{number}=fd:{near.fileno()}")
            yield descriptors, options

    @contextmanager
    def connected(self, timeout: float) -> Iterator[Client]:
        """Connect to the machine."""
        if not self.pid():
            raise Lost(f"machine {self.name} does not run")
        with connect(self.directory, PORTS, timeout, dial, "line") as client:
            client.shared = self.directory
            yield client
