"""The network of a container that is connected, attached by a program of its own.

Most containers are not, so `nsunit.setup.main` imports the module when a plan has its operation.
"""

from __future__ import annotations

import os

from nsunit.setup import files
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation


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
    """Have *program* attach the container's network namespace, as the file `attachment` in *directory* says.

    It is a program of its own, since it needs libraries that most containers do not, and the host's privileges.
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

    def attach(self, payload: int, build: Build) -> None:
        """Run it for the namespaces of process *payload*, which waits before it executes.

        Raises:
            OSError: it failed; the text is what it said.
        """
        self._run("attach", self.directory, self.locks, str(payload))

    def detach(self) -> None:
        """Run it to take everything back; systemd does so for a service.

        Raises:
            OSError: it failed.
        """
        self._run("detach", self.directory, self.locks)

    def _run(self, *words: str) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(writer, 2)
                os.execv(self.interpreter, (self.interpreter, "-I", self.program, *words))
            finally:
                os._exit(127)
        os.close(writer)
        with open(reader, "rb") as stream:
            said = stream.read().decode("utf-8", "replace").strip()
        _, status = os.waitpid(pid, 0)
        if status:
            raise OSError(0, said.replace("\n", "; ") or f"'{self.program}' ended with status {status}")
