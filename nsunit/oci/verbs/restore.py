"""restore: a container of a bundle and of the image that `checkpoint` wrote, by criu(8)."""

from __future__ import annotations

import os

from nsunit.jsontext import loads
from nsunit.oci.cgroup import placing
from nsunit.oci.criu import request, wire
from nsunit.oci.criu.worker import DESCRIPTORS, Directories, Worker, find, version
from nsunit.oci.errors import OciError
from nsunit.oci.foreground import Foreground
from nsunit.oci.outside import after_start
from nsunit.oci.removal import destroy
from nsunit.oci.sockets import connect
from nsunit.oci.spec.fields import Json, take
from nsunit.oci.spec.hooks import state
from nsunit.oci.spec.plan import Plan, plan
from nsunit.oci.state import CHECKPOINT, Container, began_of, read, write_whole
from nsunit.oci.verbs.create import add, read_config
from nsunit.oci.verbs.run import remove
from nsunit.setup import linux
from nsunit.setup.build import Build
from nsunit.setup.namespaces import Loopback
from nsunit.setup.oci import calls
from nsunit.setup.oci.devices import send_master
from nsunit.setup.oci.hooks import run_all
from nsunit.setup.oci.step import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given

_LOG = "restore.log"
# Streams that `checkpoint` has found outside of the container: those of the caller take their place.
_INHERITED = ("pipe:[", "socket:[", "file[", "tty[")


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    find()
    request.check(given)
    identity = given.operands[0]
    bundle = os.path.abspath(given.one("bundle") or ".")
    images = os.path.abspath(given.one("image-path", "checkpoint"))
    if not os.path.exists(f"{images}/inventory.img"):
        raise OciError(f"--image-path: there is no image of a container in {images}")
    linux.unshare(linux.CLONE_NEWNS)  # it ends with this process, and what is mounted in it
    linux.mount_propagation("/", linux.MS_SLAVE | linux.MS_REC)
    directories = Directories(images, given.one("work-path"), _LOG)
    content, config = read_config(bundle)
    todo = plan(config, bundle, identity, binds_devices=False)
    request.refuse_joined([kind for kind, _ in todo.namespaces.joined])
    detached, console = given.has("detach"), given.one("console-socket")
    if detached and todo.terminal != bool(console):
        raise OciError(f"cannot {'detach from a terminal without' if todo.terminal else 'use a'} console socket")
    _remove_ended(context, identity)
    container = add(context, config, bundle, identity)
    making = _Restoring(context, container, config, todo, given, directories)
    try:
        lock = context.store.lock(identity)
        context.store.save(container)
        context.store.write(identity, "config.json", content)
        making.make()
        if todo.hooks:
            after_start(making.container, config)
        os.close(lock)
    except BaseException as error:
        destroy(context.store, making.container, config, hooks=making.has_run_hooks, warn=context.warn)
        if isinstance(error, HookError):
            raise OciError(f"unable to restore container {identity}: {error}") from None
        raise
    if detached:
        return 0, ""
    making.foreground.pass_on(making.container.pid)
    status = making.foreground.wait(making.container.pid)
    remove(context, identity)
    return status, ""


def _remove_ended(context: Context, identity: str) -> None:
    """Free the name of a container that has ended by a checkpoint."""
    store = context.store
    if os.path.exists(store.path(identity, CHECKPOINT)):
        lock = store.lock(identity)
        destroy(store, store.load(identity), store.config(identity), hooks=True, warn=context.warn)
        os.close(lock)


class _Restoring:
    """One container while criu brings it back."""

    def __init__(
        self, context: Context, container: Container, config: Json, todo: Plan, given: Given, directories: Directories
    ) -> None:
        self.store = context.store
        self.warn = context.warn
        self.container = container
        self.config = config
        self.todo = todo
        self.given = given
        self.directories = directories
        self.foreground = Foreground()
        self.has_run_hooks = False

    def make(self) -> None:
        """Do it all."""
        self._mount_root()
        if "user" in self.todo.namespaces.made:
            self.directories.open_to_all()
        joined = [(kind, os.open(path, os.O_RDONLY | os.O_CLOEXEC)) for kind, path in self.todo.namespaces.joined]
        worker = Worker((*self.directories.inherited, *(fd for _, fd in joined)))
        try:
            place = placing.prepare(self.container.place, self.config, self.warn)
            client = placing.connection(place)
            place = placing.fill(place, self.container.id, worker.pid, self.config, self.warn, client)
            self._note(place=place)
            answer = worker.ask(wire.RESTORE, self._fields(joined), self._notified)
        finally:
            worker.end()
        if not answer.success:
            raise OciError(f"criu cannot restore container {self.container.id}: {self.directories.why(answer.message)}")

    def _mount_root(self) -> None:
        """Make the root a mount, which criu asks for; whether it can be written to is not in the image."""
        place = os.open(self.container.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.directories.make_points(place)
        clone = linux.clone_tree(place, recursive=True)
        if take(take(self.config, "root", dict), "readonly", bool):
            calls.mount_setattr(clone, set_=linux.MOUNT_ATTR_RDONLY)
        linux.move_mount(clone, place)
        for fd in (clone, place):
            os.close(fd)

    def _fields(self, joined: list[tuple[str, int]]) -> list[request.Field]:
        streams = loads(read(f"{self.directories.images}/{DESCRIPTORS}"))
        inherited = [(key, fd) for fd, key in enumerate(streams) if key.startswith(_INHERITED)]
        inherited += [(request.EXTERNAL_NAMESPACES[kind], fd) for kind, fd in joined]
        sources = self.directories.sources(self.config, self.container.bundle, self.container.rootfs)
        external = request.external_at_restore(sources)
        fields = request.common(self.given, self.container.annotations, *self.directories.inherited, _LOG, version())
        return fields + request.of_restore(
            self.given, self.container.rootfs, self.container.place.path, external, inherited
        )

    def _notified(self, script: str, pid: int, fd: int) -> None:
        if script == "setup-namespaces":
            self._namespaces(pid)
        elif script == "post-restore":
            self._note(pid=pid, began=began_of(pid))
            if path := self.given.one("pid-file"):
                write_whole(path, b"%d" % pid)
        elif script == "orphan-pts-master" and fd >= 0:
            if path := self.given.one("console-socket"):
                send_master(connect(path), fd)
            else:
                self.foreground.master = os.dup(fd)

    def _namespaces(self, pid: int) -> None:
        if "net" in self.todo.namespaces.made:
            _raise_loopback(pid)
        self.has_run_hooks = True
        text = state(self.config, self.container.bundle, self.container.id, "creating", pid)
        for kind in ("prestart", "createRuntime"):
            run_all(kind, self.todo.hooks.get(kind, ()), text, self.container.bundle)

    def _note(self, **changes: object) -> None:
        self.container = self.container.replace(**changes)
        self.store.save(self.container)


def _raise_loopback(pid: int) -> None:
    """Bring up lo in the new network namespace of process *pid*, whose addresses sockets of the image may have."""
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1]:
            raise OciError("the loopback interface cannot be brought up")
        return
    try:
        linux.setns(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC), linux.CLONE_NEWNET)
        Loopback().execute(Build(""))
    except BaseException:
        os._exit(1)
    os._exit(0)
