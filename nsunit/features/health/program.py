"""The program of checks: `run.py features.health.program DIRECTORY GROUP UNIT system|user`.

DIRECTORY is the container's in /run, GROUP the control group of its service UNIT.  A timer starts it as `python3 -SI`;
it looks into the container once, notes what it has found, and is gone.  Until a container was healthy for the first
time it tries again and again in between; all of these tries together are one check.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _socket  # the same of socket
import os
import sys
import time

from nsunit import setup
from nsunit.core.running import first_process, thread_of
from nsunit.features.health.check import Group, Payload, check
from nsunit.features.health.setup import Health as Wanted
from nsunit.names import container_of_unit
from nsunit.setup import notify, spawn
from nsunit.setup.interpreter import protect
from nsunit.setup.main import read_plan
from nsunit.setup.namespaces import Namespaces, has_hosts_root
from nsunit.storage import health
from nsunit.storage.files import read_kernel_file
from nsunit.storage.health import HEALTHY, STARTING, UNHEALTHY
from nsunit.units import NOT_HEALTHY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.setup.operation import Operation
    from nsunit.storage.health import Health, Result

_USEC = 1_000_000
_HELPER = os.path.dirname(setup.__file__) + "/run.py"
_PAUSE_SECONDS = 0.02
_PAUSE_MAX_SECONDS = 0.5
_WORDS_MAX = 4096  # bytes
_WARNING, _NOTICE = 4, 5  # of syslog(3)
_STARTING = ("condition", "start-pre", "start")  # of a service, in systemctl(1)
_JOURNAL = "/run/systemd/journal/socket"


class Container:
    """The container that is checked, and by what."""

    def __init__(self, directory: str, group: str, unit: str, manager: str) -> None:
        self.directory = directory
        self.unit = unit
        self.manager = manager
        self.plan: list[Operation] = read_plan(directory)
        wanted = next((item for item in self.plan if isinstance(item, Wanted)), None)
        if wanted is None:
            raise FileNotFoundError(2, "the container that runs is not checked")
        self.wanted = wanted
        pid = first_process(group)
        if not pid:
            raise ProcessLookupError(3, "it is not running")
        self.payload = Payload(pid, group)
        try:
            self.run = health.run_of(pid)
        except BaseException:
            self.payload.close()
            raise

    def seconds(self, field: str) -> float:
        """A time of what is wanted."""
        return int(getattr(self.wanted, field)) / _USEC

    def age(self) -> float:
        """For how many seconds it has run."""
        begun = health.started_ticks(self.run) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - begun

    def counts(self) -> bool:
        """Whether a failure now counts."""
        return self.age() >= self.seconds("start_period")


def main(argv: Sequence[str]) -> int:
    """Check it, and return the exit status: 0 whatever was found, since that is no failure of this program's."""
    container = _as_it_runs(*argv[1:5])
    if container is None:
        return 0  # it has ended
    try:
        if has_hosts_root(container.payload.pid):
            protect()
        spawn.harden()
        look(container)
    except spawn.SetupError as error:
        os.write(2, f"<3>{error}\n".encode())
        return 1
    except (FileNotFoundError, ProcessLookupError):
        if not container.payload.has_ended():
            raise
    if container.payload.has_ended():
        # It may run again by now, and the timer has found this program at work: it would come back in an interval.
        os.execv(sys.executable, (sys.executable, *sys.orig_argv[1:]))
    return 0


def _as_it_runs(directory: str, group: str, unit: str, manager: str) -> Container | None:
    """The container when its payload is there; None if it has ended.

    What is to be ready when it is healthy is looked at so early that its unit may have no process yet, one of
    ExecStartPre=, systemd's own that has still to execute the helper, or the helper.  The end of one is waited for;
    one that becomes another is seen by looks, which are rare where it stays as it is.
    """
    pause, former = _PAUSE_SECONDS, 0
    while True:
        container = None
        try:
            container = Container(directory, group, unit, manager)
            pid = container.payload.pid
            is_helper = _is_helper(pid)
            if not is_helper and is_inside(pid, container.plan):
                found, container = container, None
                return found
            pause = min(2 * pause, _PAUSE_MAX_SECONDS) if pid == former and not is_helper else _PAUSE_SECONDS
            former = pid
            container.payload.has_ended(pause)
        except (FileNotFoundError, ProcessLookupError):
            if not _is_starting(unit, manager):
                return None
            time.sleep(_PAUSE_SECONDS)
        finally:  # many go while it starts, and each would leave its descriptor
            if container:
                container.payload.close()


def is_inside(pid: int, plan: Sequence[Operation]) -> bool:
    """Whether process *pid* is in namespaces of the container's own; where *plan* has none, any process is.

    Raises:
        FileNotFoundError: it is gone.
    """
    kinds = [kind for item in plan if isinstance(item, Namespaces) for kind in item.kinds]
    try:
        process = thread_of(pid)
        return not any(os.path.samefile(f"{process}/ns/{kind}", f"/proc/self/ns/{kind}") for kind in kinds)
    except PermissionError:
        return False  # a user's helper, which nobody may look into


def _is_helper(pid: int) -> bool:
    words = (read_kernel_file(f"/proc/{pid}/cmdline", _WORDS_MAX) or "").split("\0")
    return _HELPER in words[:4]


def _is_starting(unit: str, manager: str) -> bool:
    """Whether systemd is about to execute something of *unit*, or has just done so; no question while one is there."""
    scope = ("--user",) if manager == "user" else ()
    words = ["systemctl", *scope, "show", "--property=SubState", "--value", unit]
    reader, writer = os.pipe()
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    with open(reader, encoding="utf-8") as output:
        state = output.read().strip()
    os.waitpid(pid, 0)
    return state in _STARTING


def look(container: Container) -> None:
    """Check *container*, note what was found, and do what is to be done about it."""
    known = health.read(container.directory, container.payload.pid)
    if known is None or not known.results:
        health.write(container.directory, known := health.Health(), container.run)
        notify.send(os.environ["NOTIFY_SOCKET"], f"STATUS={known.status}")
    result = _try(container, known)
    if result is None:
        return
    counts = known.status != STARTING or container.counts()
    now = known.after(result, int(container.wanted.retries), counts=counts)
    health.write(container.directory, now, container.run)
    if container.wanted.tells_ready and now.status == HEALTHY != known.status:
        tell(container, "READY=1\nSTATUS=")
    if now.status != known.status:
        notify.send(os.environ["NOTIFY_SOCKET"], f"STATUS={now.status}")  # who follows events hears of it by this
    report(container, known, now, result, counts=counts)
    if now.status == UNHEALTHY:
        act(container)


def _try(container: Container, known: Health) -> Result | None:
    """The result of a check; of one that is starting, of the last try of several."""
    over = time.monotonic() + container.seconds("interval")
    while not container.payload.is_frozen():
        begun = time.monotonic()
        wanted = container.wanted
        result = check(container.payload, container.plan, wanted.command, container.seconds("timeout"))
        if result is None or result.status == 0:
            return result
        if wanted.tells_ready and not known.was_healthy:
            tell(container, f"STATUS={NOT_HEALTHY}{result.summary()}")
        if known.status != STARTING:
            return result
        pause = max(0.0, begun + container.seconds("start_interval") - time.monotonic())
        if time.monotonic() + pause >= over:
            return result
        if container.payload.has_ended(pause):
            return None
    return None


def report(container: Container, before: Health, now: Health, result: Result, *, counts: bool) -> None:
    """Say in the journal what has changed, or failed."""
    if result.status == 0:
        if before.status != now.status:
            log(container, _NOTICE, "Healthy: the check has passed")
        return
    if counts:
        text = f"The check has failed ({now.failing_streak} in a row): {result.summary()}"
        log(container, _WARNING, f"Unhealthy: {text[0].lower()}{text[1:]}" if now.status == UNHEALTHY else text)


def log(container: Container, priority: int, text: str) -> None:
    """A line in the journal among those of the container's service, systemd.journal-fields(7)."""
    fields = {
        "MESSAGE": text,
        "PRIORITY": str(priority),
        "SYSLOG_IDENTIFIER": container_of_unit(container.unit) or "nsunit",
        "OBJECT_PID": str(container.payload.pid),
    }
    content = "".join(f"{name}={value}\n" for name, value in fields.items())
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        sock.sendto(content.encode("utf-8", "replace"), _JOURNAL)
    except OSError:
        os.write(2, f"<{priority}>{text}\n".encode("utf-8", "replace"))
    finally:
        sock.close()


def tell(container: Container, message: str) -> None:
    """Send *message* of sd_notify(3) as a process of the container's: systemd takes it for what its unit says."""
    with Group(container.payload) as group:
        pid = os.fork()
        if pid == 0:
            try:
                group.admit(os.getpid())
                notify.send(os.environ["NOTIFY_SOCKET"], message)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


def act(container: Container) -> None:
    """Do what HealthOnFailure= says.  A stop or restart is systemd's, which may end this program, too."""
    action = container.wanted.on_failure
    if action == "none":
        return
    log(container, _WARNING, f"HealthOnFailure={action}")
    if action == "kill":
        _signal.pidfd_send_signal(container.payload.pidfd, _signal.SIGKILL)
        return
    manager = ("--user",) if container.manager == "user" else ()
    words = ("systemctl", *manager, "--no-block", action, container.unit)
    os.execvp(words[0], words)
