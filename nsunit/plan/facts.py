"""What the plan has to know of the host.  The core finds it out, so that planning itself does no I/O."""

from __future__ import annotations

from nsunit.record import Extended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.record import Extras


class Facts(Extended):
    """Facts about the host and about what was reserved for one container; `extras` are those that features ask for.

    `user_range` is `(start, count)` of the id range, `(0, 0)` for none.  `upper` is the host directory with the
    overlay's `upper` and `work`, empty for one on tmpfs.  `environment` comes before what the definition says.
    `runtime_base` is what RuntimeDirectory= is relative to; `directories` are those of the container below it, which
    its service has (RuntimeDirectory=) unless `directories_stay`, since a unit beside it keeps them.
    `cgroup` is the one that nsunit.slice is in, empty for the root.
    `automounts` are the mount points of autofs.  `is_wanted`: other units may have systemd start the service again.
    `notify`, if not empty, is the socket of its own by which it tells systemd of itself, in place of the manager's.
    `unstarted` is a file that goes once ExecCondition= was met.
    """

    systemd_version: int
    interpreter: str
    helper: str
    runtime_directory: str
    user_range: tuple[int, int] = (0, 0)
    upper: str = ""
    init: str = ""
    seccomp: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    runtime_base: str = "/run"
    directories: tuple[str, ...] = ()
    directories_stay: bool = False
    cgroup: str = ""
    automounts: tuple[str, ...] = ()
    is_wanted: bool = False
    unstarted: str = ""
    notify: tuple[str, ...] = ()
    extras: Extras = ()

    @property
    def runtime_directories(self) -> tuple[str, ...]:
        """Those of the container's directories that systemd is to remove, as RuntimeDirectory= has them."""
        base = self.runtime_base + "/"
        own = (self.runtime_directory, *self.directories)
        return tuple(directory.removeprefix(base) for directory in own if directory.startswith(base))
