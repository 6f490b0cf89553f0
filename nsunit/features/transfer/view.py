"""A container's root as the container sees it, for a process that does not belong to it.

One that runs is entered by a descriptor of its payload: its mount and user namespace, and nothing else of it, so that
nothing in it can see or trace who looks.  The root of one that is stopped is put together as a start would, in a mount
namespace that ends with the process.  In both there are the container's ids and the privileges for files alone.
"""

from __future__ import annotations

import os

from nsunit.core.context import take_back
from nsunit.core.prepare import Place, facts_for, keep_state, planned_user_range, reserve_range, resolved, used_by
from nsunit.core.running import check_alive, find_running, is_running, just_ended, open_pidfd
from nsunit.core.stored import defined
from nsunit.errors import NsunitError
from nsunit.features import hooks
from nsunit.features.images.unpack import confine
from nsunit.features.images.unpack.worker import preload
from nsunit.names import is_group, is_pod
from nsunit.plan.operations import operations
from nsunit.setup import linux, mounts, namespaces, root, spawn
from nsunit.setup.build import Build
from nsunit.setup.main import enter_own_users
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.setup.operation import Operation

_IDS = ("own-users", "user-namespace", "user-maps")
_ROOTS = ("root-directory", "root-owned", "root-overlay")


class View:
    """The root of container *name*, as a context: while it is open no other command starts one that is stopped.

    `enter` is called in a process of its own, once; *fds* are what that has to keep.  *writes* tells whether something
    is to be changed.

    Raises:
        NsunitError: it has no root of its own that can be seen now.
    """

    def __init__(self, context: Context, name: str, *, writes: bool) -> None:
        self.context = context
        self.name = name
        self.writes = writes
        self.fds: tuple[int, ...] = ()
        self._lock = Lock(context.paths.locks, name)
        self._flags = 0
        self._operations: list[Operation] = []
        self._undo: Undo = []

    def __enter__(self) -> View:
        """Find it."""
        if is_pod(self.name) or is_group(self.name):
            raise NsunitError(f"{self.name}: it has no files of its own", hint="name one of its containers")
        preload()
        try:
            if is_running(self.context, self.name) or not self._plan_stopped():
                self._open_running()
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        """Let go; what was made for it is taken back if it failed."""
        for fd in self.fds:
            os.close(fd)
        try:
            if kind is not None:
                take_back(self._undo)
        finally:
            self._lock.release()

    def enter(self) -> int:
        """Make the root that of this process, and return a descriptor of it."""
        if self.fds:
            spawn.harden()
            linux.setns(self.fds[0], self._flags)
            if self._flags & linux.CLONE_NEWUSER:
                namespaces.become_root(keeps_groups=self.context.user)
        else:
            self._build()
        os.chdir("/")
        confine.import_no_more()
        os.umask(0)
        confine.give_up_privileges()
        return os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _open_running(self) -> None:
        running = find_running(self.context, self.name)
        pidfd = open_pidfd(self.context, running)
        self.fds = (pidfd,)
        for kind in ("mnt", "user"):
            try:
                own = os.stat(f"/proc/{running.pid}/ns/{kind}")
            except (FileNotFoundError, ProcessLookupError):
                raise just_ended(self.name, running.pid) from None
            if not os.path.samestat(own, os.stat(f"/proc/self/ns/{kind}")):
                self._flags |= namespaces.KINDS[kind]
        check_alive(running, pidfd)  # so these are of this very process
        if not self._flags & linux.CLONE_NEWNS:
            raise NsunitError(f"{self.name}: its files are the host's", hint="leave out the name before the colon")

    def _plan_stopped(self) -> bool:
        """Plan how its root is put together; False if who had its lock before has started it."""
        self._lock.__enter__()
        if is_running(self.context, self.name):
            self._lock.release()
            return False
        definition = resolved(self.context, defined(self.context, self.name))
        facts = facts_for(self.context, definition, self._range(definition))
        planned = operations(definition, facts)
        base = next((item for item in planned if item.keyword in _ROOTS), None)
        if base is None:
            hint = "with MountNamespace= it sees the host's files, or another container's"
            raise NsunitError(f"{self.name}: it has no root of its own", hint=hint)
        if self.writes and isinstance(base, root.Overlay) and not base.upper:
            raise NsunitError(
                f"{self.name}: what is written into it is gone when it stops, and it is not running",
                hint=f"start it first, 'nsunit start {self.name}', or put the files into a layer",
            )
        if not self.writes and isinstance(base, root.Overlay) and not os.path.isdir(f"{base.upper}/upper"):
            base = root.Overlay("", base.lowers)  # it has never been started
        binds = {item.target for item in definition.container.binds}
        mine = f"{self.context.paths.runtime}/"
        for item in (base if item.keyword == base.keyword else item for item in planned):
            if isinstance(item, mounts.Bind):
                is_others = not item.source.startswith(mine) and os.path.lexists(item.source)
                if is_others and (item.target in binds or item.source.startswith(self.context.paths.state)):
                    self._operations.append(item)
            elif item is base or item.keyword in _IDS or isinstance(item, root.Pivot):
                self._operations.append(item)
        return True

    def _range(self, definition: Definition) -> tuple[int, int]:
        """Its ids; one that is written into before its first start gets what it keeps."""
        if not self.writes:
            return planned_user_range(self.context, definition)
        keep_state(self.context, definition, self._undo)
        keeper = self.context.paths.state_of(self.name)
        found = reserve_range(self.context, definition, keeper)
        own = [feature for feature in used_by(self.context, definition) if feature == "images"]
        for take in hooks(own, "deeds.reserve"):
            take(self.context, definition, Place(keeper, "", found, self._undo))
        return found

    def _build(self) -> None:
        build = Build(self.context.paths.locks)
        enter_own_users(self._operations, build)
        spawn.harden()  # not earlier: newuidmap(1) has to see whose process it is
        for operation in self._operations:
            if operation.enters:
                operation.open(build)
        root.make_workspace(build)
        spawn.prepare(self._operations, build)
        if build.has_userns:
            namespaces.become_root_of(build.userns_fd)
            linux.unshare(linux.CLONE_NEWNS)
        build.attach_root()
        for operation in self._operations:
            operation.execute(build)
