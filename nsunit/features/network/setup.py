"""The network of a container that is connected, attached by a process of its own.

Most containers are not, so `nsunit.setup.main` imports the module when a plan has its operation.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum

from nsunit import light as os  # which the program that is loaded here finds by that name
from nsunit.features import load
from nsunit.setup import files, linux
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation

PROGRAM = "features.network.program"


class NetworkFiles(Operation):
    """Tell the systemd-networkd of a system inside what the interfaces are, by the files for it in *directory*."""

    __slots__ = ("directory",)
    keyword = "network-files"
    directory: str

    def describe(self) -> str:
        """See Operation."""
        return "tell systemd-networkd inside of its network"

    def prepare(self, build: Build) -> None:
        """Open the files."""
        for name in os.listdir(self.directory):
            if name.endswith(".network"):
                fd = os.open(f"{self.directory}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                build.keep((self, name), fd)

    def execute(self, build: Build) -> None:
        """Copy them; /run is a file system of the container's own."""
        target = files.open_directory(build.root_fd, "/run/systemd/network")
        for part in [part for part in build.prepared if isinstance(part, tuple) and part[0] is self]:
            source = build.take(part)
            files.write_new(target, part[1], os.read(source, files.FILE_SIZE_MAX))
            os.close(source)
        os.close(target)


class Network(Operation):
    """Attach the container's network namespace, as the file `attachment` in *directory* says.

    A process of its own does it, with the host's privileges and modules that most containers do not need.  It makes
    what the host has to have while this process goes on with the set-up; *program* takes everything back.
    """

    __slots__ = ("interpreter", "program", "directory", "locks")
    keyword = "network"
    interpreter: str
    program: str
    directory: str
    locks: str

    def describe(self) -> str:
        """See Operation."""
        return "attach the container to its network"

    def prepare(self, build: Build) -> None:
        """Fork that process, which ends with this one: it waits for the container's namespaces."""
        report, told = os.pipe()
        wanted, pid = os.pipe()
        parent = os.getpid()
        build.connector = os.fork()
        if build.connector == 0:
            status = 1
            try:
                linux.prctl(linux.PR_SET_PDEATHSIG, _signal.SIGKILL)
                os.dup2(told, 2)
                os.dup2(wanted, 0)
                linux.close_range(3)
                if os.getppid() == parent:
                    status = load("network", "program").connect(self.directory, self.locks, _wait_for_pid)
            finally:
                os._exit(status)
        os.close(told)
        os.close(wanted)
        build.keep((self, "report"), report)
        build.keep((self, "pid"), pid)

    def attach(self, payload: int, build: Build) -> None:
        """Have it attach the namespaces of process *payload*, which waits before it executes.

        Raises:
            OSError: it failed; the text is what it said.
        """
        pid = build.take((self, "pid"))
        try:
            os.write(pid, b"%d" % payload)
        except BrokenPipeError:
            pass  # it has failed already, and says why
        os.close(pid)
        connector, build.connector = build.connector, 0
        self._finish(connector, build.take((self, "report")))

    def detach(self, build: Build) -> None:
        """End that process, if it still waits, and run the program to take everything back.

        systemd does so for a service.

        Raises:
            OSError: it failed.
        """
        if build.connector:
            os.kill(build.connector, _signal.SIGKILL)
            os.waitpid(build.connector, 0)
            build.connector = 0
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(writer, 2)
                words = (self.interpreter, "-SI", self.program, PROGRAM, "detach", self.directory, self.locks)
                os.execv(self.interpreter, words)
            finally:
                os._exit(127)
        os.close(writer)
        self._finish(pid, reader)

    def _finish(self, pid: int, report: int) -> None:
        with open(report, "rb") as stream:
            said = stream.read().decode("utf-8", "replace").strip()
        _, status = os.waitpid(pid, 0)
        if status:
            raise OSError(0, said.replace("\n", "; ") or f"'{self.program} {PROGRAM}' ended with status {status}")


def _wait_for_pid() -> int:
    """The PID of the container's process; 0 if it will never be."""
    return int(os.read(0, 16) or 0)
