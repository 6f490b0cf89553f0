"""What a set-up plan is made of, and the file it travels in.

A plan is an ordered list of operations.  Each has two halves: `prepare` runs in the parent half of the helper, with the
host's privileges and the host's paths, and opens everything; `execute` runs inside the new namespaces and only uses
what was opened.  The file holds one operation a line, the keyword and its arguments separated by NUL; a newline, which
a command line or a variable can contain, stands as `\\n`.  Nothing needs importing to read it.
"""

from __future__ import annotations

from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from nsunit.setup.build import Build

_PLAN_MAX = 16 << 20  # bytes


class PlanError(Exception):
    """A plan file that this version of the helper cannot read."""


class Operation:
    """One step.  Subclasses name their arguments in `__slots__`; a last one starting with `*` in `rest` takes all."""

    __slots__: tuple[str, ...] = ()
    keyword = ""
    rest = ""  # name of the slot that takes all remaining arguments as a tuple
    leaves_process = False  # whether a process of its own goes on beside the container
    tells_ready = False  # whether somebody else tells when the container is ready
    mount_point = ""  # where in the root it mounts something, if that is the same at all times
    enters = False  # whether it takes part in entering the namespaces, by `open`, `join` and `settle`

    def __init__(self, *arguments: str | tuple[str, ...]) -> None:
        if len(arguments) != len(self.__slots__):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.__slots__) or 'nothing'}")
        for name, argument in zip(self.__slots__, arguments, strict=True):
            setattr(self, name, argument)

    def enter(self, operations: Sequence[Operation], build: Build) -> None:
        """Change who the helper is.  Runs before all else, with the rest of the plan at hand."""

    def open(self, build: Build) -> None:
        """Open what a mount namespace of the helper's own would hide.  Runs before everything else."""

    def prepare(self, build: Build) -> None:
        """Open what is needed from the host.  Runs before any namespace but a private mount namespace is entered."""

    def join(self, build: Build) -> None:
        """Enter what was opened.  Runs with the host's privileges, in the process whose child becomes the payload."""

    def settle(self, build: Build) -> None:
        """Do what must be done in new namespaces before they have a process, right after they were made."""

    def execute(self, build: Build) -> None:
        """Do the step inside the container's namespaces."""

    def attach(self, payload: int, build: Build) -> None:
        """Connect process *payload*, which is all set up and about to execute.  Runs with the host's privileges."""

    def clone_flags(self) -> int:
        """The CLONE_NEW* flags of the namespaces that it enters, for who joins the container later."""
        return 0

    def detach(self, build: Build) -> None:
        """Take back what `prepare` and `attach` did, in the foreground: for a service systemd does so."""

    def describe(self) -> str:
        """Say in a few words what the step does, as the object of "Failed to …"."""
        raise NotImplementedError

    def mount_points(self) -> tuple[str, ...]:
        """Where in the root it mounts something, on an empty file or directory that it makes where there is none."""
        place = self.mount_point or getattr(self, "target", "")
        return (place,) if place else ()

    def arguments(self) -> tuple[str | tuple[str, ...], ...]:
        """The arguments the operation was made with."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.arguments() == other.arguments()

    def __hash__(self) -> int:
        return hash((self.keyword, self.arguments()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.arguments()!r}"


def dump(operations: Iterable[Operation]) -> bytes:
    """The plan file's content for *operations*.

    Raises:
        PlanError: an argument contains NUL, which no system call would take either.
    """
    lines = []
    for operation in operations:
        fields = [operation.keyword]
        for argument in operation.arguments():
            fields.extend((argument,) if isinstance(argument, str) else argument)
        if any("\0" in field for field in fields):
            raise PlanError(f"{operation.keyword}: an argument contains NUL")
        lines.append("\0".join(fields).replace("\\", "\\\\").replace("\n", "\\n") + "\n")
    return os.fsencode("".join(lines))


def read(
    directory: str,
    kinds: Iterable[type[Operation]],
    rare: Callable[[str], type[Operation] | None],
    wanted: Container[str] | None = None,
) -> list[Operation]:
    """The operations of the plan in *directory*; see `parse`."""
    # What is no file, such as a pipe, is read as an empty one: nobody is waited for.
    fd = os.open(directory + "/plan", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as plan:
        return parse(plan.read(_PLAN_MAX), kinds, rare, wanted)


def parse(
    content: bytes,
    kinds: Iterable[type[Operation]],
    rare: Callable[[str], type[Operation] | None] | None = None,
    wanted: Container[str] | None = None,
) -> list[Operation]:
    """Read what `dump` wrote; *kinds* are the operations that any plan may have.

    *rare* is asked for a keyword that is none of theirs.  All with keywords that are not *wanted* are left out.

    Raises:
        PlanError: a line that is not one of them, or has too few arguments.
    """
    by_keyword = {kind.keyword: kind for kind in kinds}
    operations = []
    for line in os.fsdecode(content).split("\n")[:-1]:
        keyword, *fields = (unescape(line) if "\\" in line else line).split("\0")
        if wanted is not None and keyword not in wanted:
            continue
        kind = by_keyword.get(keyword)
        if kind is None:
            kind = rare(keyword) if rare else None
            if kind is None:
                raise PlanError(f"unknown operation '{keyword}'")
            by_keyword[keyword] = kind
        fixed = len(kind.__slots__) - (1 if kind.rest else 0)
        if len(fields) < fixed or (not kind.rest and len(fields) > fixed):
            raise PlanError(f"'{keyword}' has {len(fields)} arguments")
        arguments: list[str | tuple[str, ...]] = list(fields[:fixed])
        if kind.rest:
            arguments.append(tuple(fields[fixed:]))
        operations.append(kind(*arguments))
    return operations


def unescape(line: str) -> str:
    """*line* with the line ends and backslashes that it stands for."""
    return "\\".join(part.replace("\\n", "\n") for part in line.split("\\\\"))


def failpoint(operation: Operation, half: str) -> None:
    """Die at this step if the service's environment says so: NSUNIT_FAILPOINT=KEYWORD:prepare or :execute.

    The tests kill the helper at every step this way; one that starts processes has more words.  The variable can only
    come from a unit's Environment=, which nsunit never sets, so nobody but the administrator can.
    """
    if os.variables.get("NSUNIT_FAILPOINT") == f"{operation.keyword}:{half}":
        os.kill(os.getpid(), 9)
        os._exit(137)  # process 1 of a PID namespace is safe from itself
