"""exec: another process in a container."""

from __future__ import annotations

from nsunit.oci.cgroup import fs, manager
from nsunit.oci.errors import OciError, UsageError
from nsunit.oci.rootless import is_host_root
from nsunit.oci.sockets import connect, first_of_own, tell
from nsunit.oci.spec import program
from nsunit.oci.spec.check.validate import check_process
from nsunit.oci.spec.fields import Json, parse_object, take
from nsunit.oci.spec.hooks import state
from nsunit.oci.spec.process import cpu_set
from nsunit.oci.state import CREATED, PAUSED, RUNNING, Container, is_alive, read, write_whole
from nsunit.setup import cgroup_of, linux, namespaces
from nsunit.setup import system as os
from nsunit.setup.oci.calls import allow_limits
from nsunit.setup.oci.process import Keyring, Report
from nsunit.setup.oci.shield import protect
from nsunit.setup.oci.spawn import Answers, Spaces, StartError, spawn
from nsunit.setup.oci.step import Box, Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.foreground import Foreground
    from nsunit.oci.options import Given

_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    store, identity = context.store, given.operands[0]
    container = store.load(identity)
    status = store.status(container)
    if status not in (CREATED, RUNNING, PAUSED):
        raise OciError("cannot exec in a stopped container")
    if status == PAUSED and not given.has("ignore-paused"):
        raise OciError("cannot exec in a paused container (use --ignore-paused to override)")
    if os.geteuid() == 0 and namespaces.has_hosts_root(container.pid):
        protect()
    config: Json = store.config(identity)
    process = _process(given, config)
    linux_object: Json = take(config, "linux", dict)
    check_process(process)
    wishes = program.asked_by(container.annotations)
    todo = program.parse(process, linux_object, wishes, new=False)
    _check_terminal(given, todo.terminal)
    session = _Session(container, given, process, config)
    mine, other = Channel.pair()
    box = Box(mine)
    box.keep_first = first_of_own(given.number("preserve-fds"))
    linux.close_range(box.keep_first, flags=linux.CLOSE_RANGE_CLOEXEC)
    relay = None
    if socket := given.one("console-socket"):
        box.console_fd = connect(socket)
    elif not given.has("detach"):
        from nsunit.oci.foreground import Foreground  # engines always detach

        relay = session.relay = Foreground(box, terminal=todo.terminal)
    spaces = spaces_of(container)
    spaces.can_return = is_host_root()
    spaces.keeps_groups = wishes.keeps_groups
    if not given.has("detach"):
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    # The caller's keys could be read with it: keyrings know no namespaces.
    keyring = () if container.keeps_keyring else (Keyring(),)
    steps = (*keyring, *todo.early, *todo.become, Report(), *todo.last)
    session.score = todo.oom_score
    session.limits = todo.limits if "user" in spaces.pidfd_kinds else ()
    try:
        pid = spawn(spaces, steps, box, other, session)
    except StartError as error:
        raise OciError(f"exec failed: unable to start container process: {error}") from None
    return (relay.wait(pid) if relay else 0), ""


def _process(given: Given, config: Json) -> Json:
    """The process of the file that was given, or the container's own with what was said besides.

    Raises:
        OciError: there is nothing to execute.
    """
    if path := given.one("process"):
        return parse_object(read(path), path)
    process: Json = dict(take(config, "process", dict))
    if len(given.operands) < 2:
        raise UsageError("process args cannot be empty")
    process["args"] = given.operands[1:]
    process["terminal"] = given.has("tty")
    process["env"] = [*take(process, "env", list), *given.all("env")]
    if cwd := given.one("cwd"):
        process["cwd"] = cwd
    if label := given.one("process-label"):
        process["selinuxLabel"] = label
    if profile := given.one("apparmor"):
        process["apparmorProfile"] = profile
    if given.has("no-new-privs"):
        process["noNewPrivileges"] = True
    _user(given, process)
    if capabilities := given.all("cap"):
        said = take(process, "capabilities", dict)
        added = ("bounding", "effective", "permitted")
        sets = {name: [*take(said, name, list), *(capabilities if name in added else [])] for name in _SETS}
        process["capabilities"] = sets
    return process


def _user(given: Given, process: Json) -> None:
    user = dict(take(process, "user", dict))
    if text := given.one("user"):
        uid, colon, gid = text.partition(":")
        if not uid.isdecimal() or (colon and not gid.isdecimal()):
            raise UsageError(f"--user: '{text}' is not UID[:GID], in numbers")
        user |= {"uid": int(uid)} | ({"gid": int(gid)} if colon else {})
    for text in given.all("additional-gids"):
        if not text.isdecimal():
            raise UsageError(f"--additional-gids: '{text}' is no number")
        user["additionalGids"] = [*take(user, "additionalGids", list), int(text)]
    process["user"] = user


def _check_terminal(given: Given, terminal: bool) -> None:
    socket = given.has("console-socket") and bool(given.one("console-socket"))
    if given.has("detach") and terminal and not socket:
        raise OciError("cannot allocate tty if runc will detach without setting console socket")
    if socket and not terminal:
        raise OciError("cannot use console socket if runc will not detach or allocate tty")


def spaces_of(container: Container) -> Spaces:
    """The namespaces of a container's process that are not the caller's.

    Raises:
        OciError: it has ended, or its first thread has.
    """
    spaces = Spaces()
    try:
        spaces.pidfd = os.pidfd_open(container.pid)
        if not is_alive(container):  # the number may be another's by now, whose namespaces these are not
            raise ProcessLookupError
        kinds = [
            kind
            for kind in namespaces.KINDS
            if os.readlink(f"/proc/{container.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
        ]
    except (ProcessLookupError, FileNotFoundError):
        if is_alive(container):  # the namespaces of a process are those of its first thread
            raise OciError("cannot exec: the first thread of the container's program has ended") from None
        raise OciError("cannot exec in a stopped container") from None
    spaces.pidfd_kinds = tuple(kinds)
    return spaces


class _Session(Answers):
    """A process while it is made."""

    def __init__(self, container: Container, given: Given, process: Json, config: Json) -> None:
        self.container = container
        self.config = config
        self.given = given
        self.path = ""  # of its cgroup
        self.score: int | None = None
        self.limits: tuple[tuple[int, int, int], ...] = ()  # that its user namespace may refuse
        self.relay: Foreground | None = None
        self.first_score = take(take(config, "process", dict), "oomScoreAdj", int) if "process" in config else None
        affinity: Json = take(process, "execCPUAffinity", dict)
        where = "process.execCPUAffinity."
        self.initial, self.final = (
            cpu_set(text, where + name) if (text := take(affinity, name, str)) else frozenset()
            for name in ("initial", "final")
        )

    def group(self) -> int:
        """See Answers."""
        place = self.container.place
        if not manager.is_own(place):
            return -1
        self.path = place.path
        if below := self.given.one("cgroup"):
            self.path += "/" + below.rpartition(":")[2].strip("/")
            if ".." in self.path.split("/") or not fs.exists(self.path):
                raise StartError(f"there is no cgroup {self.path}")
        # Processors are its own before those of the cgroup are.
        return -1 if self.initial else fs.opened(self.path)

    def placed(self, pid: int, *, inside: bool) -> None:
        """See Answers."""
        if self.initial:
            os.sched_setaffinity(pid, self.initial)
        if self.path and not inside:
            self._enter(self.path, pid)
        if self.final:
            os.sched_setaffinity(pid, self.final)
        allow_limits(pid, self.limits)
        score = self.score if self.score is not None else self.first_score
        if score is not None:
            try:
                namespaces.write_file(f"/proc/{pid}/oom_score_adj", str(score))
            except PermissionError:
                # A user's own service has a higher one than what made the container, and nobody but root may lower it.
                if is_host_root():
                    raise

    def _enter(self, path: str, pid: int) -> None:
        try:
            fs.enter(path, pid)
        except OSError as error:
            # It hands controllers down itself, so its own group takes no processes: that of its process does.
            if error.errno not in (16, 95) or self.given.one("cgroup"):
                raise StartError(f"unable to enter the cgroup {path}: {error.strerror}") from None
            fs.enter(cgroup_of(str(self.container.pid)), pid)

    def listener(self, pid: int, fd: int) -> None:
        """See Answers."""
        text = state(self.config, self.container.bundle, self.container.id, RUNNING, self.container.pid)
        tell(self.config, text, pid, fd)

    def forked(self, pid: int) -> None:
        """See Answers."""
        if self.relay:
            self.relay.pass_on(pid)
        if path := self.given.one("pid-file"):
            write_whole(path, b"%d" % pid)
