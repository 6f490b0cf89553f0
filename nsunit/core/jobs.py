"""What became of containers in a command on several, and of the jobs that systemd did for it."""

from __future__ import annotations

import os
import time

from nsunit.bus.protocol import NO_SUCH_UNIT, UNIT_EXISTS
from nsunit.core.running import SIGKILL, deaf_to, not_own
from nsunit.definition.search import main_file
from nsunit.errors import BusError, JobFailedError, NsunitError
from nsunit.names import service_name
from nsunit.record import Record
from nsunit.storage import files
from nsunit.units import NOT_HEALTHY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nsunit.bus.protocol import Job, SystemdClient
    from nsunit.core.context import Context
    from nsunit.core.prepare import Prepared
    from nsunit.units import Unit

# How much longer than the unit's own time-outs a job may take before we stop waiting for it: what waits for its turn at
# the host's links asks systemd for up to two minutes more (nsunit.features.network.wire.lock).
GRACE_SECONDS = 150.0
JOB_TIMEOUT = 60.0  # s, of a scope or a slice


class Outcome(Record):
    """*state* is what is true of container *name* now; a failure has *error* and leaves it as it was before.

    Of `start`: "started", "listening" (for its first connection), "running" (it was already), "mended" (the same, but
    systemd had given up a socket or proxy of it), "differs" (it runs, but from another definition; *differences* says
    how).  Of `stop`: "stopped", "inactive" (it was already).  Of `rm`: "removed", "absent".  A program that has no
    handler for its stop signal was killed by any of them, and *deaf_to* is that signal.
    """

    name: str
    state: str
    differences: tuple[str, ...] = ()
    error: NsunitError | None = None
    deaf_to: int = 0

    def after(self, stops: Iterable[Outcome]) -> Outcome:
        """This one, with what is to be told of the stop of its container, one of *stops*, that came before."""
        return self.replace(deaf_to=next((item.deaf_to for item in stops if item.name == self.name), 0))


def as_failed(name: str, error: NsunitError | OSError) -> Outcome:
    """That something has failed for container *name*, of several: the others go on.

    Raises:
        PermissionError: the caller is not root, and would not be for the others either.
    """
    if isinstance(error, PermissionError) and os.geteuid():
        raise error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        error = NsunitError(f"{name}: {where}{error.strerror or error}")
    return Outcome(name, "failed", error=error)


def forget_failed(context: Context, unit: str) -> None:
    """ResetFailedUnit for *unit*, which may be gone already.

    systemd removes the unit's RuntimeDirectory= then, after its answer and before the next one
    (unit_release_resources()): whoever makes that directory again has to have waited for that.
    """
    try:
        context.bus.reset_failed(unit)
        context.bus.get(unit, "LoadState")
    except BusError as error:
        if error.name != NO_SUCH_UNIT:
            raise


def stop_what_is_left(context: Context, unit: str, timeout: float = GRACE_SECONDS) -> None:
    """Stop *unit* and wait for that; systemd may have unloaded it by now, since it has ended by itself."""
    try:
        context.bus.wait(context.bus.stop(unit), timeout)
    except BusError as error:
        if error.name != NO_SUCH_UNIT:
            raise


def begin_to_stop(context: Context, unit: str) -> None:
    """Have *unit*, whose start is given up, stop without waiting for it, nor for a payload that would be deaf to that.

    Whoever waits for it, as has to be done, is told of errors.
    """
    try:
        state = context.bus.get(unit, "LoadState", "MainPID", "KillSignal", "KillMode", "ExecStop")
        context.bus.stop(unit)
        if state.get("KillMode") != "control-group" and deaf_to(state):  # else others are asked, and would end with it
            context.bus.kill(unit, "main", SIGKILL)
    except BusError:
        pass


# Starts that have failed, so that `status` can tell of them when the unit is gone, or never was


JOURNAL = "/run/systemd/journal/socket"
REFUSED_ID = "d8aa6b3dbf7d45d3b2a1e0b7c6c20c2f"  # MESSAGE_ID= of what was refused before systemd was asked
_JOURNAL_MAX = 1 << 15  # characters of a message
FAILED = "failed-"  # of the names of the files


class Failure(Record):
    """How the last start of a container has failed: when (µs since the epoch), and what `start` said.

    `invocation` is the unit's InvocationID, empty where systemd was not asked.
    """

    time_usec: int
    invocation: str
    message: str
    hint: str


def remember_failure(context: Context, name: str, error: NsunitError) -> None:
    """Note that container *name* was not started because of *error*; the journal has it where systemd was not asked."""
    if not main_file(name, context.search) or not (context.user or os.geteuid() == 0):
        return  # nobody could ask for its status, or it is not the caller's
    unit, invocation = service_name(name), ""
    if isinstance(error, JobFailedError):
        value = context.bus.get(unit, "InvocationID").get("InvocationID")
        invocation = bytes(value).hex() if isinstance(value, (list, tuple, bytes)) else ""
    else:
        _tell_journal(context, name, error)
    lines = (f"{time.time_ns() // 1000} {invocation}", (error.hint or "").replace("\n", " "), error.message)
    try:
        files.make_private_directory(context.paths.runtime)
        files.write_file(_failed_file(context, name), "\n".join(lines).encode(errors="surrogateescape"))
    except OSError:
        pass  # no space, for instance: the caller is told in any case, and of that rather than of this


def forget_failure(context: Context, name: str) -> bool:
    """Forget how the last start of *name* has failed; tells whether one had."""
    return files.discard(_failed_file(context, name))


def failure_of(context: Context, name: str) -> Failure | None:
    """How the last start of *name* by nsunit has failed, None if it has not."""
    try:
        content = files.read_file(_failed_file(context, name))
    except PermissionError:
        return None  # it is root's to know
    if content is None:
        return None
    head, hint, message = content.decode(errors="surrogateescape").split("\n", 2)
    when, _, invocation = head.partition(" ")
    return Failure(int(when), invocation, message, hint)


def failed_names(context: Context) -> list[str]:
    """The containers whose last start has failed."""
    try:
        there = files.list_directory(context.paths.runtime)
    except PermissionError:
        return []  # it is root's to know
    names = (name.removeprefix(FAILED) for name in there if name.startswith(FAILED))
    return [name for name in names if main_file(name, context.search)]


def _failed_file(context: Context, name: str) -> str:
    return f"{context.paths.runtime}/{FAILED}{name}"


def _tell_journal(context: Context, name: str, error: NsunitError) -> None:
    """Tell the journal, among what it has of the unit (journalctl(1) on -u), in its native protocol."""
    import _socket  # the C half alone, and only where something has failed

    fields = {
        "MESSAGE": f"{error.message}; hint: {error.hint}" if error.hint else error.message,
        "MESSAGE_ID": REFUSED_ID,
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "nsunit",
        "USER_UNIT" if context.user else "OBJECT_SYSTEMD_UNIT": service_name(name),
        "NSUNIT_CONTAINER": name,
    }
    data = b""
    for key, text in fields.items():
        value = text[:_JOURNAL_MAX].encode(errors="backslashreplace")
        data += key.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    try:
        sock.connect(JOURNAL)
        sock.send(data)
    except OSError:
        pass  # no journald, or it does not read: the caller is told in any case
    finally:
        sock.close()


def start_timeout(service: Unit) -> float:
    """Seconds after which a start job of *service* must have ended by itself."""
    for item in reversed(service.properties):
        if item.name == "TimeoutStartUSec" and isinstance(item.value, int):
            return min(item.value / 1_000_000, 86400.0) + GRACE_SECONDS
    raise JobFailedError(service.name, "invalid", "the unit has no TimeoutStartUSec")


# Why a unit did not start


class Advice(Record):
    """What a `Result` of a service says in words, and what to do about it."""

    text: str
    hint: str


_LOG_HINT = "see 'nsunit logs {name}'"

# Service results of org.freedesktop.systemd1(5) that a container can meet while it starts.
RESULTS = {
    "oom-kill": Advice("the kernel killed it for lack of memory", "raise MemoryMax= of the container or its slices"),
    "timeout": Advice("it was not ready in time", "raise TimeoutStartSec=, or see what it waits for"),
    "start-limit-hit": Advice("it was started too often", "wait, or raise StartLimitBurst="),
    "resources": Advice("systemd could not set the unit up", "see 'systemctl status {unit}'"),
    "signal": Advice("it was killed by signal {status}", _LOG_HINT),
    "core-dump": Advice("it dumped core", _LOG_HINT),
    "watchdog": Advice("its watchdog ran out", _LOG_HINT),
    "exit-code": Advice("it ended with status {status}", _LOG_HINT),
    "protocol": Advice("it ended before it was ready", _LOG_HINT),
    "success": Advice("it ended before it was ready", _LOG_HINT),
}
_ENDS = ("exit-code", "signal", "core-dump")  # of these, those of a program that ran
JOBS = {
    "canceled": Advice("another command cancelled the start", "run it again"),
    "timeout": Advice("the job ran out of time", "see 'systemctl list-jobs'"),
    "dependency": Advice("a unit it depends on failed", "see 'systemctl list-dependencies {unit}'"),
    "skipped": Advice("a condition in [Unit] is not met", "see 'systemctl status {unit}'"),
    "exec-condition": Advice("a command of ExecCondition= does not let it start", _LOG_HINT),
    "unneeded": Advice(
        "nothing that runs needs it, so StopWhenUnneeded= stops it",
        "start what needs it, or leave StopWhenUnneeded= out",
    ),
    "assert": Advice("an assertion in [Unit] is not met", "see 'systemctl status {unit}'"),
    "frozen": Advice(
        "its unit or a slice around it is frozen", "let it go on with 'nsunit resume', or 'systemctl thaw'"
    ),
    "concurrency": Advice(
        "a slice around it has as many units as ConcurrencyHardMax= allows",
        "stop another one of that slice, or raise ConcurrencyHardMax=",
    ),
    "once": Advice("it was started once already", "see 'systemctl status {unit}'"),
}


def unfinished(name: str, what: str, unit: str, result: str) -> NsunitError:
    """The error for another job of container *name*, *what* on *unit*, that ended with *result*."""
    advice = JOBS[result] if result in ("frozen", "concurrency") else None
    if advice is None:
        advice = Advice(f"{what} ended as '{result}'", "see 'systemctl status {unit}'")
    return NsunitError(f"{name}: {advice.text}", hint=advice.hint.format(unit=unit))


def start_transient(context: Context, prepared: Prepared, groups: tuple[Unit, ...] = ()) -> Job:
    """Have systemd make the units of *prepared*, with those of the *groups* around it, and start the first.

    Raises:
        BusError: it does not.
    """
    service, slice_ = prepared.units.entry, prepared.units.slice
    groups = (*groups, *prepared.units.others)
    try:
        return context.bus.start_transient(service, (*groups, slice_))
    except BusError as error:
        if error.name != UNIT_EXISTS:
            raise
    # Either a failed unit that was not collected yet, or a slice that an exec session still holds.
    forget_failed(context, service.name)
    if context.bus.get(slice_.name, "ActiveState").get("ActiveState") == "active":
        from nsunit.core.apart import check_apart  # an exec session holds the slice

        check_apart(context, prepared.definition)
        live = tuple(item for item in slice_.properties if item.name not in ("Description", "StopWhenUnneeded"))
        context.bus.set_properties(slice_.name, True, live)
        return context.bus.start_transient(service, groups)
    try:
        return context.bus.start_transient(service, (*groups, slice_))
    except BusError as error:
        if error.name != UNIT_EXISTS:
            raise
    _forget_kept(context, prepared.definition.name, (service.name, slice_.name))
    return context.bus.start_transient(service, (*groups, slice_))


def _forget_kept(context: Context, name: str, units: Sequence[str]) -> None:
    """Have systemd forget *name*'s *units*, which are only referred to; NsunitError if one is not its own."""
    for unit in units:
        fragment = str(context.bus.get(unit, "FragmentPath").get("FragmentPath", ""))
        if fragment and not fragment.startswith(context.transient):
            raise not_own(context, name, unit, fragment)
        files.discard(context.transient + unit)  # it may be going just now
    context.bus.reload()


def explain_failure(bus: SystemdClient, name: str, unit: str, result: str, slice_: str = "") -> JobFailedError:
    """The error for a start job of container *name*, in *slice_*, that ended with *result*."""
    state = bus.get(unit, "StatusText", "Result", "ExecMainStatus", "ExecMainCode")
    said = str(state.get("StatusText", ""))
    service_result = str(state.get("Result", ""))
    if said.startswith("Failed to "):
        return JobFailedError(unit, result, f"{name}: {said}", hint=hint_for_step(said))
    if said.startswith(NOT_HEALTHY) and "timeout" in (result, service_result):
        hint = f"raise TimeoutStartSec=, or see 'nsunit logs {name}'"
        return JobFailedError(
            unit, result, f"{name}: it was not healthy in time: {said[len(NOT_HEALTHY) :]}", hint=hint
        )
    if result == "dependency" and _is_frozen(bus, slice_):
        result = "frozen"
    advice = JOBS.get(result) or _advice_for_status(state) or RESULTS.get(service_result)
    if advice is None:
        advice = Advice(f"the job ended as '{result}' ({service_result})", _LOG_HINT)
    fields = {"name": name, "unit": unit, "status": str(state.get("ExecMainStatus", ""))}
    error = JobFailedError(unit, result, f"{name}: {advice.text.format(**fields)}", hint=advice.hint.format(**fields))
    code, status = state.get("ExecMainCode"), state.get("ExecMainStatus")
    if (
        service_result in _ENDS
        and advice is RESULTS[service_result]
        and isinstance(code, int)
        and isinstance(status, int)
    ):
        error.ended = service_result, code, status
    return error


def as_shell(code: object, status: object) -> int:
    """The exit status that a shell gives a program of which systemd has this ExecMainCode and ExecMainStatus."""
    if not isinstance(status, int):
        return 0
    return 128 + status if code in (2, 3) else status  # CLD_KILLED, CLD_DUMPED


# Exit statuses of systemd's own, systemd.exec(5): what it could not do for a process before that executed.
STATUSES = {
    201: "Nice=",
    202: "LimitNOFILE=",
    204: "memory",
    205: "the Limit…= keys",
    206: "OOMScoreAdjust=",
    208: "/dev/null, see DevicePolicy= and DeviceAllow=",
    209: "StandardOutput=",
    211: "IOSchedulingClass= and IOSchedulingPriority=",
    212: "TimerSlackNSec=",
    214: "CPUSchedulingPolicy= and CPUSchedulingPriority=",
    215: "CPUAffinity=",
    219: "the control group",
    222: "StandardError=",
    233: "the directory in /run",
    237: "KeyringMode=",
    242: "NUMAPolicy= and NUMAMask=",
    243: "the credentials, see LoadCredential= and its like",
    245: "the BPF file system of PrivateBPF=",
}


def _advice_for_status(state: Mapping[str, object]) -> Advice | None:
    status = state.get("ExecMainStatus")
    what = STATUSES.get(status) if isinstance(status, int) and state.get("Result") == "exit-code" else None
    if what is None:
        return None
    return Advice(
        f"the machine or systemd refused {what} (status {status})", "'systemctl status {unit}' has the reason"
    )


def _is_frozen(bus: SystemdClient, slice_: str) -> bool:
    """Whether *slice_* or one around it is frozen, or about to be: systemd starts nothing there."""
    while slice_:
        state = bus.get(slice_, "FreezerState", "Slice")
        if state.get("FreezerState") not in (None, "running", "thawing"):
            return True
        slice_ = str(state.get("Slice") or "")
    return False


def hint_for_step(said: str) -> str | None:
    """What to do about a step of the set-up that failed, by what the helper *said*."""
    for words, hint in STEP_HINTS:
        if all(word in said for word in words):
            return hint
    return None


# By what the helper said: the step, and the kernel's reason.
STEP_HINTS = (
    (
        ("to execute '/sbin/init'", "No such file"),
        "install what brings it into the root (Debian: systemd-sysv), or use Exec=/usr/lib/systemd/systemd",
    ),
    (("to execute", "No such file"), "check Exec= against what is in the root"),
    (("to execute", "Permission denied"), "make the file executable, or run it through its interpreter"),
    (("to execute", "interpreter"), "the root lacks the interpreter or dynamic linker that the program names"),
    (("to execute", "Exec format"), "the program is for another architecture, or a script without '#!'"),
    (("to find user",), "check User=, Group= and SupplementaryGroups=, or give a number"),
    (("to bind '/dev/", "id-map"), "use Device=, which makes a node of the container's own"),
    (("id-map",), "put it on ext4, xfs, btrfs or (Linux 6.3) tmpfs, or use Ownership=chown or PrivateUsers=identity"),
    (("clock would be before 0",), "the host has not been up for that long; use a later time"),
    (("to join the",), "see what there is to join with 'nsunit ns list'"),
    (("to bind", ": Is a directory"), "source and target must both be directories, or both be files"),
    (("to bind", ": Not a directory"), "source and target must both be directories, or both be files"),
    (("to bind", "Read-only file system"), "make the mount point in a layer"),
    (("a whole", "'/run/host/", "Permission denied"), "/run of these layers is another user's; add Tmpfs=/run"),
    (("a whole", "the host's root"), "leave out Nesting=, or give the container, or its pod, ids of its own"),
    (("is closed to the user",), "have its owner open it, 'chmod o+rx', or take a copy that is the user's own"),
    (("overlay", "Stale file handle"), "the upper layer belongs to other layers; 'nsunit rm' forgets it"),
    (("overlay", "Device or resource busy"), "another mount uses the upper layer; see who with 'findmnt'"),
    (
        ("set sysctl", "No such file"),
        "this kernel has no such parameter in a user namespace of its own; see 'sysctl -a'",
    ),
    (("set sysctl", "Invalid argument"), "the kernel takes other values for that parameter"),
    (("drop privileges", "Invalid argument"), "the ids of User= and Group= must be among those of the container"),
    (("Network=vlan:", "File exists"), "the link has that VLAN already: see 'ip -d link show type vlan'"),
    (("Network=", "File exists"), "choose another name, or see whose it is with 'ip link'"),
    (("Network=", "Invalid argument"), "MTU= can be as large as that of the link, no larger"),
    (("route to", "Network is unreachable"), "the gateway must be in the subnet of one of the interface's addresses"),
    (
        ("network by", "External interface not usable"),
        "the host has no default route, see 'ip route': pasta needs one; add it, or leave out Network=pasta",
    ),
    (("to make a process",), "raise it: a start takes three processes, of which the program's stays"),
    (("Too many open files",), "raise LimitNOFILE= of [Service]: each mount takes a descriptor while they are made"),
    (("user namespace", "No space"), "raise the sysctl user.max_user_namespaces"),
    (
        ("user namespace", "not permitted"),
        "something is mounted over the host's root, see 'findmnt /', or a security module forbids them",
    ),
    (("user namespace",), "see 'nsunit doctor'"),
    (("hand over the credentials", "no credential"), "check the names in Secret= against LoadCredential= and its like"),
    (("change to the directory",), "check WorkingDirectory= against what is in the root"),
)
