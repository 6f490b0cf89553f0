"""create: a container that waits for its start; everything that was left half done is taken back."""

from __future__ import annotations

from nsunit.oci import rootless
from nsunit.oci.cgroup import fs, placing
from nsunit.oci.cgroup.place import CGROUPFS, group_of
from nsunit.oci.cgroup.place import parse as parse_place
from nsunit.oci.errors import OciError, SpecError
from nsunit.oci.removal import destroy
from nsunit.oci.sockets import connect, first_of_own, tell
from nsunit.oci.spec.fields import Json, parse_object, take
from nsunit.oci.spec.files import root_path
from nsunit.oci.spec.hooks import state
from nsunit.oci.spec.namespaces import has_hosts_root
from nsunit.oci.spec.plan import Plan, plan
from nsunit.oci.state import REPLY, START, Container, began_of, now, read, write_whole
from nsunit.setup import cgroup_of, linux
from nsunit.setup import system as os
from nsunit.setup.namespaces import write_file
from nsunit.setup.oci.calls import allow_limits
from nsunit.setup.oci.shield import protect
from nsunit.setup.oci.spawn import Answers, Spaces, StartError, spawn
from nsunit.setup.oci.step import Box, Channel, HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.bus.systemd import Systemd
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    create(context, given, given.operands[0])
    return 0, ""


def create(
    context: Context, given: Given, identity: str, relay: Callable[[Box, bool], None] | None = None
) -> Container:
    """Make container *identity* of the bundle that *given* names.

    With *relay* the caller stays: it takes the box, and whether there is a terminal that nobody else takes.

    Raises:
        OciError: it cannot be made; nothing is left of it.
    """
    store = context.store
    store.path(identity)
    bundle = os.abspath(given.one("bundle") or ".")
    content, config = read_config(bundle)
    hand_down_sockets(config)
    in_users = rootless.is_in_user_namespace()
    todo = plan(
        *(config, bundle, identity),
        binds_devices=in_users,
        keyring=not given.has("no-new-keyring"),
    )
    console = given.one("console-socket")
    if todo.terminal != bool(console) and not (relay and todo.terminal):
        if todo.terminal:
            raise OciError("cannot allocate tty if runc will detach without setting console socket")
        raise OciError("cannot use console socket if runc will not detach or allocate tty")
    if rootless.is_host_root() and has_hosts_root(todo.namespaces):
        protect()
    container = add(context, config, bundle, identity)
    if given.has("no-new-keyring"):
        container = container.replace(keeps_keyring=True)
    making = _Making(context, container, config, todo, given)
    making.relay = relay
    try:
        lock = store.lock(identity)
        store.save(container)
        store.write(identity, "config.json", content)
        making.make()
        os.close(lock)
    except BaseException as error:
        destroy(store, making.container, config, hooks=making.has_run_hooks, warn=context.warn)
        if isinstance(error, (StartError, HookError)):
            raise OciError(f"unable to start container process: {error}") from None
        raise
    return making.container


def add(context: Context, config: Json, bundle: str, identity: str) -> Container:
    """Take the name *identity* for the container of *config*, in *bundle*; nothing else is there of it yet.

    Raises:
        OciError: the name or the cgroup is taken.
        SpecError: there is no root.
    """
    text: str = take(take(config, "linux", dict), "cgroupsPath", str)
    place = parse_place(context.manager, text, identity, cgroup_of("self"), user=rootless.is_users())
    rootfs = os.abspath(root_path(config, bundle))
    if not os.isdir(rootfs):
        raise SpecError(f"invalid rootfs: stat {rootfs}: no such file or directory")
    container = Container(
        *(identity, bundle, rootfs, now(), os.getpid(), began_of(os.getpid()), place),
        *(take(config, "annotations", dict), take(config, "ociVersion", str), os.geteuid()),
    )
    context.store.add(identity)
    try:
        # Before it is written down as the container's: what fails from here on is taken back with all in it.
        fs.refuse_taken(group_of(place))
    except OciError:
        context.store.remove(identity)
        raise
    return container


def read_config(bundle: str) -> tuple[bytes, Json]:
    """The content of config.json, and what it says.

    Raises:
        SpecError: there is none, or it is no object of JSON.
    """
    try:
        content = read(f"{bundle}/config.json")
    except FileNotFoundError:
        raise SpecError(f'JSON specification file config.json not found in "{bundle}"') from None
    return content, parse_object(content, "config.json")


def sockets_passed() -> int:
    """How many sockets systemd has handed to this process, from descriptor 3 on: sd_listen_fds(3)."""
    text = os.variables.get("LISTEN_FDS", "")
    return int(text) if os.variables.get("LISTEN_PID") == str(os.getpid()) and text.isdecimal() else 0


def hand_down_sockets(config: Json) -> None:
    """Tell the program of *config* of the sockets that it gets before those of --preserve-fds, as runc does."""
    process = config.get("process")
    number = sockets_passed()
    if number and isinstance(process, dict) and isinstance(process.setdefault("env", []), list):
        process["env"] += [f"LISTEN_FDS={number}", "LISTEN_PID=1"]


class _Making(Answers):
    """One container while it is made."""

    def __init__(self, context: Context, container: Container, config: Json, todo: Plan, given: Given) -> None:
        self.store = context.store
        self.warn = context.warn
        self.container = container
        self.config = config
        self.todo = todo
        self.given = given
        self.has_run_hooks = False
        self.relay: Callable[[Box, bool], None] | None = None
        self.client: Systemd | None = None
        self.client_fd = -1

    def make(self) -> None:
        """Do it all."""
        self.client = placing.connection(self.container.place)
        self.client_fd = self.client.connect() if self.client else -1
        mine, other = Channel.pair()
        box = Box(mine)
        box.privileged = os.geteuid() == 0
        box.keep_first = first_of_own(sockets_passed() + self.given.number("preserve-fds"))
        linux.close_range(box.keep_first, flags=linux.CLOSE_RANGE_CLOEXEC)
        if socket := self.given.one("console-socket"):
            box.console_fd = connect(socket)
        if self.relay:
            self.relay(box, self.todo.terminal and not socket)
        box.go_fd, box.reply_fd = self._fifos()
        spaces = open_spaces(self.todo)
        for step in self.todo.steps:
            step.open(box)
        if box.privileged:
            for step in self.todo.steps:
                try:
                    step.prepare(box)
                except OSError as error:
                    where = f" ('{error.filename}')" if error.filename else ""
                    raise StartError(
                        f"error during container init: {step.describe()}: {error.strerror}{where}"
                    ) from None
        if box.privileged:  # else the maps could not be written; the container's process does so itself
            linux.prctl(linux.PR_SET_DUMPABLE, 0)
        spawn(spaces, self.todo.steps, box, other, self)
        # Else `run`, which starts it itself, would wait for its own end of the FIFO.
        for fd in (box.go_fd, box.reply_fd):
            os.close(fd)

    def _fifos(self) -> tuple[int, int]:
        found = []
        for name, mode in ((START, 0o600 if self.todo.hooks.get("poststart") else 0o700), (REPLY, 0o600)):
            path = self.store.path(self.container.id, name)
            os.mkfifo(path, mode)
            found.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        return found[0], found[1]

    def group(self) -> int:
        """See Answers."""
        place = placing.prepare(self.container.place, self.config, self.warn)
        if place != self.container.place:
            self._note(place=place)
        return fs.opened(place.path) if place.manager == CGROUPFS else -1

    def left(self) -> None:
        """See Answers."""
        if self.client_fd >= 0:
            os.close(self.client_fd)

    def placed(self, pid: int, *, inside: bool) -> None:
        """See Answers."""
        if not inside:
            identity = self.container.id
            place = placing.fill(self.container.place, identity, pid, self.config, self.warn, self.client)
            if place != self.container.place:
                self._note(place=place)
        if self.todo.namespaces.has("user"):
            allow_limits(pid, self.todo.limits)
        if self.todo.oom_score is not None:
            write_file(f"/proc/{pid}/oom_score_adj", str(self.todo.oom_score))

    def mapped(self, pid: int) -> None:
        """See Answers."""
        write_maps(pid, self.todo.namespaces.uid_map, self.todo.namespaces.gid_map)

    def forked(self, pid: int) -> None:
        """See Answers."""
        self._note(pid=pid, began=began_of(pid))
        if devices := take(take(self.config, "linux", dict), "netDevices", dict):
            from nsunit.oci.netdevices import move  # few containers have some

            move(devices, pid)

    def hooks(self, pid: int) -> None:
        """See Answers."""
        from nsunit.setup.oci.hooks import run_all  # few containers have hooks

        self.has_run_hooks = True
        text = state(self.config, self.container.bundle, self.container.id, "creating", pid)
        for kind in ("prestart", "createRuntime"):
            run_all(kind, self.todo.hooks.get(kind, ()), text, self.container.bundle)

    def listener(self, pid: int, fd: int) -> None:
        """See Answers."""
        text = state(self.config, self.container.bundle, self.container.id, "creating", pid)
        tell(self.config, text, pid, fd)

    def ready(self, pid: int) -> None:
        """See Answers."""
        if path := self.given.one("pid-file"):
            write_whole(path, b"%d" % pid)

    def _note(self, **changes: object) -> None:
        self.container = self.container.replace(**changes)
        self.store.save(self.container)


def open_spaces(todo: Plan) -> Spaces:
    """The namespaces with those opened that are joined.

    Raises:
        StartError: one is not there.
    """
    spaces = Spaces()
    spaces.made, spaces.offsets = todo.namespaces.made, todo.namespaces.offsets
    spaces.keeps_groups = todo.keeps_groups
    spaces.can_return = rootless.is_host_root()
    for kind, path in todo.namespaces.joined:
        try:
            spaces.joined.append((kind, os.open(path, os.O_RDONLY | os.O_CLOEXEC)))
        except OSError as error:
            raise StartError(f"failed to open {path}: {error.strerror}") from None
    return spaces


def write_maps(pid: int, uid_map: str, gid_map: str) -> None:
    """Write the maps of the new user namespace of process *pid*; a user with more ids than his own has helpers."""
    if os.geteuid():
        rootless.write_maps(pid, uid_map, gid_map)
        return
    write_file(f"/proc/{pid}/uid_map", uid_map)
    write_file(f"/proc/{pid}/gid_map", gid_map)
