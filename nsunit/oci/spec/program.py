"""`process` of config.json, or of the file that `exec` is given, as steps."""

from __future__ import annotations

from nsunit.oci.errors import SpecError
from nsunit.oci.spec import process as names
from nsunit.oci.spec.fields import Json, take, wrong
from nsunit.oci.spec.wishes import Wishes
from nsunit.record import Record
from nsunit.setup import linux as kernel
from nsunit.setup.oci.process import (
    DEFAULT_PATH,
    Call,
    Exec,
    Filter,
    FindProgram,
    Home,
    Identity,
    Label,
    WorkingDirectory,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.operation import Operation

_ID_MAX = 0xFFFFFFFE
_LIMIT_MAX = (1 << 64) - 1


class Program(Record):
    """Steps in their three groups: what is done with the privileges of root, the program, and what comes last.

    *limits* are also among the early ones: resource, soft, hard.
    """

    early: tuple[Operation, ...]
    become: tuple[Operation, ...]
    last: tuple[Operation, ...]
    oom_score: int | None
    terminal: bool
    limits: tuple[tuple[int, int, int], ...]


def asked_by(annotations: Json) -> Wishes:
    """What *annotations* ask for; raises what `annotations.wishes_of` raises."""
    if not annotations:
        return Wishes()
    from nsunit.oci.spec.annotations import wishes_of  # what has none is not to load their parser

    return wishes_of(annotations)


def parse(process: Json, linux: Json, wishes: Wishes, *, new: bool) -> Program:
    """The steps of *process* in a container with the object *linux* and *wishes*; *new* for that of `create`.

    Raises:
        SpecError: something of it cannot be.
    """
    argv, environment = take(process, "args", list), take(process, "env", list)
    if not argv:
        raise SpecError("args must not be empty")
    cwd: str = take(process, "cwd", str)
    if not cwd.startswith("/"):
        raise SpecError("Cwd must be an absolute path" if cwd else "Cwd property must not be empty")
    user: Json = take(process, "user", dict)
    uid, gid = _id(user, "uid"), _id(user, "gid")
    no_new: bool = take(process, "noNewPrivileges", bool)
    for number, entry in enumerate(environment):
        if entry.startswith("="):
            raise wrong(f"process.env[{number}]", f"'{entry}' has no name")
    path = next((entry[5:] for entry in reversed(environment) if entry.startswith("PATH=")), DEFAULT_PATH)
    limits = _limits(process)
    early: list[Operation] = [Call(f"set {name}", "prlimit", values) for name, values in limits.items()]
    early += _scheduling(process, linux)
    terminal: bool = take(process, "terminal", bool)
    labels = _labels(process)
    filter_ = _filter(linux, wishes)
    umask = user.get("umask")
    if umask is not None and not 0 <= umask <= 0o7777:
        raise wrong("process.user.umask", f"{umask} is out of range")
    become: list[Operation] = [
        WorkingDirectory(cwd, True),
        Call("set the umask", "umask", (0o022 if umask is None else umask,)),
        *([] if any(entry.startswith("HOME=") for entry in environment) else [Home(uid)]),
        *labels,
        *([] if no_new else filter_),
        Identity(uid, gid, None if wishes.keeps_groups else _groups(user), *_capabilities(process)),
        WorkingDirectory(cwd, False),
        FindProgram(argv[0], path),
    ]
    last: list[Operation] = [Exec(tuple(argv), tuple(environment))]
    if no_new:
        become.append(Call("set no_new_privs", "prctl", (kernel.PR_SET_NO_NEW_PRIVS, 1)))
        # A profile is made for the program: the less is done under it before, the better.
        if any(step.asks for step in filter_):
            become += filter_
        else:
            last[:0] = filter_
    if terminal:
        from nsunit.setup.oci.devices import Terminal  # `exec` without one needs nothing of devices

        early.insert(0, Terminal(new, _size(process), uid))
    score = process.get("oomScoreAdj")
    if score is not None and not -1000 <= score <= 1000:
        raise wrong("process.oomScoreAdj", f"{score} is out of range")
    return Program(tuple(early), tuple(become), tuple(last), score, terminal, tuple(limits.values()))


def _id(user: Json, name: str) -> int:
    number: int = take(user, name, int)
    if not 0 <= number <= _ID_MAX:
        raise wrong(f"process.user.{name}", f"{number} is out of range")
    return number


def _groups(user: Json) -> tuple[int, ...]:
    return tuple(take(user, "additionalGids", list))


def _capabilities(process: Json) -> tuple[int, ...]:
    said: Json = take(process, "capabilities", dict)
    return tuple(
        names.mask(take(said, name, list)) for name in ("bounding", "effective", "permitted", "inheritable", "ambient")
    )


def _limits(process: Json) -> dict[str, tuple[int, int, int]]:
    limits: dict[str, tuple[int, int, int]] = {}
    for number, entry in enumerate(take(process, "rlimits", list)):
        where = f"process.rlimits[{number}]."
        name = take(entry, "type", str)
        resource = names.look_up(names.LIMITS, name, f"{where}type")
        if name in limits:
            raise wrong(f"{where}type", f"'{name}' is there twice")
        soft, hard = (take(entry, key, int) & _LIMIT_MAX for key in ("soft", "hard"))
        limits[name] = (resource, soft, hard)
    return limits


def _scheduling(process: Json, linux: Json) -> list[Operation]:
    steps: list[Operation] = []
    if persona := take(linux, "personality", dict):
        domain = names.look_up(names.PERSONAS, persona.get("domain"), "linux.personality.domain")
        if persona.get("flags"):
            raise wrong("linux.personality.flags", "there are none")
        steps.append(Call("set the personality", "personality", (domain,)))
    if io := take(process, "ioPriority", dict):
        class_ = names.look_up(names.IO_CLASSES, io.get("class"), "process.ioPriority.class")
        priority = take(io, "priority", int)
        if not 0 <= priority <= 7:
            raise wrong("process.ioPriority.priority", f"{priority} is not from 0 to 7")
        steps.append(Call("set the I/O priority", "ioprio_set", (class_, priority)))
    if scheduler := take(process, "scheduler", dict):
        where = "process.scheduler."
        policy = names.look_up(names.POLICIES, scheduler.get("policy"), f"{where}policy")
        flags = 0
        for flag in take(scheduler, "flags", list):
            flags |= names.look_up(names.SCHEDULER_FLAGS, flag, f"{where}flags")
        values = [take(scheduler, key, int) for key in ("nice", "priority", "runtime", "deadline", "period")]
        steps.append(Call("set the scheduler", "sched_setattr", (policy, flags, *values)))
    if memory := take(linux, "memoryPolicy", dict):
        where = "linux.memoryPolicy."
        mode = names.look_up(names.MEMORY_MODES, memory.get("mode"), f"{where}mode")
        for flag in take(memory, "flags", list):
            mode |= names.look_up(names.MEMORY_FLAGS, flag, f"{where}flags")
        text = take(memory, "nodes", str)
        nodes = names.cpu_set(text, f"{where}nodes") if text else frozenset()
        steps.append(Call("set the memory policy", "set_mempolicy", (mode, names.node_mask(nodes))))
    return steps


def _labels(process: Json) -> list[Operation]:
    steps: list[Operation] = []
    if profile := take(process, "apparmorProfile", str):
        steps.append(Label("apparmor/exec", f"exec {profile}"))
    if label := take(process, "selinuxLabel", str):
        steps.append(Label("exec", label))
    return steps


def _filter(linux: Json, wishes: Wishes) -> list[Filter]:
    seccomp: Json = take(linux, "seccomp", dict)
    if not seccomp:
        return []
    from nsunit.oci.spec.seccomp import compile_filter  # what has none is not to load it

    found = compile_filter(seccomp, strict=wishes.strict_calls)
    return [Filter(found.program, found.flags, found.asks)] if found else []


def _size(process: Json) -> tuple[int, int] | tuple[()]:
    size: Json = take(process, "consoleSize", dict)
    if not size:
        return ()
    rows, columns = (take(size, key, int) for key in ("height", "width"))
    return (rows & 0xFFFF, columns & 0xFFFF)
