"""The sockets of Activation=fds: imported only for a plan that has them."""

from __future__ import annotations

import errno

from nsunit.setup import system as os
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build

FIRST_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)


class ListenFds(Operation):
    """Hand the sockets that systemd has given the unit on to the payload, as sd_listen_fds(3) finds them."""

    keyword = "listen-fds"

    def describe(self) -> str:
        """See Operation."""
        return "hand the listening sockets in"

    def execute(self, build: Build) -> None:
        """Keep the descriptors, which have their places already, and name them in the environment."""
        count = int(os.variables.get("LISTEN_FDS", "0"))
        if not count:
            raise OSError(errno.ENOTCONN, "systemd has passed none")
        handed = tuple(range(FIRST_FD, FIRST_FD + count))
        for fd in handed:
            os.set_inheritable(fd, True)
        build.kept_fds = (*build.kept_fds, *handed)
        build.environment["LISTEN_FDS"] = str(count)
        build.environment["LISTEN_FDNAMES"] = os.variables.get("LISTEN_FDNAMES", "")
        build.environment["LISTEN_PID"] = str(os.getpid())
