"""What every deed needs: the bus, the facts of the host, where definitions and state are; and undoing it half-way."""

from __future__ import annotations

import os
import sys
import time

from nsunit.definition.host import Host, home_of, host_facts
from nsunit.definition.search import SYSTEM_SEARCH_PATH, SearchPath, user_search_path
from nsunit.errors import DefinitionError, NsunitError, UsageError
from nsunit.features import hooks, of_users
from nsunit.setup import CGROUP_ROOT
from nsunit.storage import files
from nsunit.storage.lock import Moving
from nsunit.storage.paths import Paths, user_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from nsunit.bus.protocol import SystemdClient

    Undo = list[Callable[[], object]]


class Context:
    """The bus and the host's facts are looked at when they are first needed, and once.

    With *user* it is all about the containers of the calling user, who has no privileges.  *warn* is told in one line
    what will not be as the user may expect.  *progress*, where somebody looks on, is told what is under way and how
    many bytes of how many are done; none of none at its end.  *batch* is told of many containers how many systemd was
    asked for, how many of them are done, of how many, and why one has just failed.  *waits* is told each second what is
    waited for; nothing at its end.
    """

    def __init__(
        self,
        search: SearchPath = SYSTEM_SEARCH_PATH,
        paths: Paths | None = None,
        *,
        user: bool = False,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        self.search = search
        self.paths = paths or Paths()
        self.user = user
        self.warn = _once(warn)
        self.progress: Callable[[str, int, int], object] | None = None
        self.batch: Callable[[int, int, int, NsunitError | None], object] | None = None
        self.waits: Callable[[str], object] | None = None
        self._bus: SystemdClient | None = None
        self._host: Host | None = None
        self._cgroup: str | None = None
        self.moments: dict[str, int] = {}
        self.obtained: set[str] = set()  # the containers whose images this command has seen to
        self.moving = Moving(CGROUP_ROOT)

    def mark(self, what: str) -> None:
        """Note that *what* has just ended, for `nsunit analyze`; the moments are nanoseconds of CLOCK_MONOTONIC."""
        now = time.monotonic_ns()
        if not self.moments:
            self.moments["begun"] = now - time.process_time_ns()  # until now a command has hardly waited for anything
        self.moments[what] = now

    @property
    def bus(self) -> SystemdClient:
        """The connection to systemd's manager, the system's or the user's.

        Raises:
            BusError: there is none to be had.
        """
        if self._bus is None:
            from nsunit.bus.systemd import Systemd  # help and the like need none

            self._bus = Systemd(self.user)
        return self._bus

    def with_bus(self, client: Any) -> Context:
        """This context with *client*, a SystemdClient, in place of its own."""
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__)
        found._bus = client
        return found

    def connect(self) -> None:
        """Begin to connect to systemd, so that it can greet us while the rest of a verb is imported."""
        self.bus.connect()

    @property
    def host(self) -> Host:
        """Facts about the host that definitions are checked against."""
        if self._host is None:
            self._host = host_facts(self.bus.version())
        return self._host

    def mean(self, systemd_version: int) -> None:
        """Check and plan for that version of systemd in place of this machine's."""
        self._host = self.host.replace(systemd_version=systemd_version, is_meant=True)

    @property
    def cgroup(self) -> str:
        """The cgroup that nsunit.slice is in, empty for the root: that of the user's systemd with *user*."""
        if self._cgroup is None:
            self._cgroup = self.bus.control_group().removesuffix("/init.scope") if self.user else ""
        return self._cgroup

    @property
    def features(self) -> tuple[str, ...]:
        """The features that each of the containers uses since it is the caller's."""
        return of_users() if self.user else ()

    @property
    def boot_target(self) -> str:
        """What starts the containers that are enabled."""
        return "default.target" if self.user else "multi-user.target"

    @property
    def transient(self) -> str:
        """Where systemd keeps the files of transient units, with a slash at the end."""
        return f"{self.paths.runtime_base}/systemd/transient/"

    @property
    def runtime_control(self) -> str:
        """Where SetUnitProperties leaves what holds until the next boot, see systemd.unit(5)."""
        return f"{self.paths.runtime_base}/systemd/{'user' if self.user else 'system'}.control"

    def remove_tree(self, path: str) -> bool:
        """Remove a directory with a container's files; False where there is none."""
        if os.path.lexists(path):
            for remove in hooks(self.features, "deeds.remove_tree"):  # some may belong to the user's subordinate ids
                return bool(remove(self, path))
        return files.remove_tree(path)


def _once(warn: Callable[[str], object] | None) -> Callable[[str], object]:
    """What tells *warn* each line once: a definition may be looked up several times."""
    told: set[str] = set()

    def tell(line: str) -> None:
        if warn and line not in told:
            told.add(line)
            warn(line)

    return tell


def open_context(warn: Callable[[str], object] | None = None) -> Context:
    """The context of the system's own containers."""
    return Context(warn=warn)


def open_user_context(warn: Callable[[str], object] | None = None) -> Context:
    """The context of the calling user's containers.

    Raises:
        UsageError: the user is root.
    """
    if os.geteuid() == 0:
        raise UsageError("--user is for users without privileges", hint="leave it out for containers of the system")
    environ, uid = dict(os.environ), os.geteuid()
    environ["HOME"] = home_of(environ, uid)
    return Context(user_search_path(environ), user_paths(environ, uid), user=True, warn=warn)


def attempt(step: Callable[[], object], undo: Undo, back: Callable[[], object]) -> None:
    """Do *step*, which *back* undoes: that is noted before, since a signal may come in between.

    Raises:
        NsunitError: it was refused, and there is nothing to be undone.
    """
    undo.append(back)
    try:
        step()
    except NsunitError:
        undo.pop()
        raise


def take_back(undo: Sequence[Callable[[], object]], why: BaseException | None = None) -> None:
    """Run the steps of *undo*, the last one first; all of them, even if one fails.

    The error that they are run for, *why* or the one that is being handled, is the one to be told, and has in it why
    one has failed.

    Raises:
        NsunitError, OSError: one has failed, and they are run for no error, or for an interrupt.
    """
    failures: list[NsunitError | OSError] = []
    for step in reversed(undo):
        try:
            step()
        except (NsunitError, OSError) as error:
            failures.append(error)
    if failures and not _add(failures[0], why or sys.exception()):
        raise failures[0]


def _add(failure: NsunitError | OSError, error: BaseException | None) -> bool:
    """Have *error* tell of the *failure* to take something back, too; False where it cannot."""
    where = f"{failure.filename}: " if isinstance(failure, OSError) and isinstance(failure.filename, str) else ""
    reason = f"{where}{failure.strerror or failure}" if isinstance(failure, OSError) else failure.message
    text = f"not all of it could be taken back: {reason}"
    if isinstance(error, DefinitionError) and error.problems:
        error.problems.append(error.problems[-1].replace(line=0, message=text, hint=None))
    if isinstance(error, NsunitError):
        error.message += f"; {text}"
        error.args = (error.message,)
    elif isinstance(error, OSError):
        error.strerror = f"{error.strerror or error}; {text}"
    else:
        return False
    return True


def make_directory(context: Context, path: str, undo: Undo) -> None:
    """Make *path*, root's alone, and note in *undo* how to remove it if it was not there."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # kept from an earlier start, or left by one that was killed: either way it is this container's
    undo.append(lambda: context.remove_tree(path))
