"""The verbs of nsunit-oci and their options: those of runc 1.3, with crun's where these differ."""

from __future__ import annotations

from nsunit.oci.errors import UsageError
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    # A long option: its name, what it does, what stands for its value in the help or "" where it has none, its short
    # one or "".  It is no Record, since each call would make a hundred.
    Option = tuple[str, str, str, str]


class Verb(Record):
    """A verb, the module below nsunit.oci.verbs that has its `run`, and its operands, at *least* and at *most*.

    One with *command* stops reading options at its first operand.
    """

    name: str
    module: str
    help: str
    options: tuple[Option, ...] = ()
    operands: str = "ID"
    least: int = 1
    most: int = 1
    command: bool = False


GLOBAL = (
    ("root", "Directory for the state of containers", "DIR", ""),
    ("log", "Write messages to this file as well", "FILE", ""),
    ("log-format", "Form of the messages in it: text or json", "FORMAT", ""),
    ("log-level", "Taken, as crun has it: errors and warnings are always logged", "LEVEL", ""),
    ("debug", "Taken, as runc has it: there is no more to say", "", ""),
    ("systemd-cgroup", "Make a scope of systemd's for the container", "", "s"),
    ("cgroup-manager", "Who makes the container's cgroup: systemd, cgroupfs or disabled", "MANAGER", ""),
    ("rootless", "Taken as runc has it: true, false or auto; it is found out", "WHETHER", ""),
    ("criu", "Taken: criu is looked for in the search path", "PATH", ""),
    ("version", "Show the version", "", "v"),
    ("help", "Show this help", "", "h"),
)
_CREATE = (
    ("bundle", "Directory of the bundle (default: the working directory)", "DIR", "b"),
    ("console-socket", "Socket that takes the master of the container's terminal", "PATH", ""),
    ("pid-file", "File for the number of the container's process", "FILE", ""),
    ("no-pivot", "Taken: pivot_root(2) works on a RAM disk too, as the root is a mount of its own", "", ""),
    ("no-new-keyring", "Leave the session keyring of the caller to the container", "", ""),
    ("preserve-fds", "Hand that many descriptors from 3 on to the container", "N", ""),
)
_FORMAT = ("format", "table or json", "FORMAT", "f")
_REGEX = ("regex", "ID is a regular expression: all whose ids it matches", "", "r")
_ANY = ("regex", "ID is a regular expression: one whose id it matches, and that has not ended if there is one", "", "r")
_PAUSE = "Suspend all processes of a container"
_EXEC = (
    ("process", "File with the process as config.json has it", "FILE", "p"),
    ("detach", "Do not wait for the process to end", "", "d"),
    ("pid-file", "File for the number of the process", "FILE", ""),
    ("console-socket", "Socket that takes the master of the terminal", "PATH", ""),
    ("tty", "Give it a terminal", "", "t"),
    ("user", "User and group, as numbers", "UID[:GID]", "u"),
    ("additional-gids", "A supplementary group", "GID", "g"),
    ("env", "A variable of its environment", "NAME=VALUE", "e"),
    ("cap", "A capability besides the container's", "CAP", "c"),
    ("cwd", "Its working directory", "DIR", ""),
    ("preserve-fds", "Hand that many descriptors from 3 on to it", "N", ""),
    ("no-new-privs", "Keep it from gaining privileges by execve(2)", "", ""),
    ("process-label", "Its SELinux label", "LABEL", ""),
    ("apparmor", "Its AppArmor profile", "PROFILE", ""),
    ("cgroup", "A cgroup below the container's", "PATH", ""),
    ("ignore-paused", "Execute it in a paused container, too", "", ""),
)
_UPDATE = (
    ("resources", "File with linux.resources as JSON, - for the standard input", "FILE", "r"),
    ("blkio-weight", "Share of the disks, 10 to 1000", "N", ""),
    ("cpu-burst", "Microseconds that it may save up above its quota", "N", ""),
    ("cpu-idle", "1: only what others leave of the processors", "N", ""),
    ("cpu-period", "Microseconds that a quota is for", "N", ""),
    ("cpu-quota", "Microseconds of processor time in a period, -1 for all", "N", ""),
    ("cpu-rt-period", "Taken: of cgroup version 1", "N", ""),
    ("cpu-rt-runtime", "Taken: of cgroup version 1", "N", ""),
    ("cpu-share", "Share of the processors, 2 to 262144", "N", ""),
    ("cpuset-cpus", "Processors to run on, as 0-3,8", "LIST", ""),
    ("cpuset-mems", "Memory nodes to use, as 0-1", "LIST", ""),
    ("kernel-memory", "Taken: of cgroup version 1", "BYTES", ""),
    ("kernel-memory-tcp", "Taken: of cgroup version 1", "BYTES", ""),
    ("memory", "Most bytes of memory, -1 for no limit", "BYTES", ""),
    ("memory-reservation", "Bytes of memory that are left to it", "BYTES", ""),
    ("memory-swap", "Most bytes of memory and swap together, -1 for no limit", "BYTES", ""),
    ("pids-limit", "Most processes, -1 for no limit", "N", ""),
)
_IMAGE = (
    ("image-path", "Directory of the image (default: checkpoint)", "DIR", ""),
    ("work-path", "Directory for criu's log and figures (default: that of the image)", "DIR", ""),
    ("tcp-established", "With its connections", "", ""),
    ("ext-unix-sk", "With sockets of the file system whose other end is elsewhere", "", ""),
    ("shell-job", "With standard streams that are a terminal of others: that of restore takes its place", "", ""),
    ("file-locks", "With its locks of files", "", ""),
    ("manage-cgroups-mode", "What becomes of cgroups below its own: ignore, soft, full or strict", "MODE", ""),
    ("empty-ns", "Taken: network interfaces are never in the image", "network", ""),
    ("auto-dedup", "Without pages in images before that have changed", "", ""),
    ("lazy-pages", "Refused: nobody stays who has the pages", "", ""),
)
_CHECKPOINT = (
    *_IMAGE,
    ("leave-running", "Let the container go on", "", ""),
    ("pre-dump", "Only its memory, and let it go on", "", ""),
    ("parent-path", "Directory of the image before, relative to this one's", "DIR", ""),
    ("link-remap", "With files that are open and have been removed", "", ""),
    ("tcp-skip-in-flight", "Without connections that are being made", "", ""),
    ("page-server", "Refused, as --lazy-pages", "ADDRESS:PORT", ""),
    ("status-fd", "Refused, as --lazy-pages", "N", ""),
)
_RESTORE = (
    *_CREATE,
    *_IMAGE,
    ("detach", "Do not wait", "", "d"),
    ("no-subreaper", "Taken: what the container leaves is not this program's", "", ""),
    ("tcp-close", "Without its connections", "", ""),
    ("lsm-profile", "Another profile, as apparmor:NAME or selinux:LABEL", "TYPE:NAME", ""),
    ("lsm-mount-context", "Another SELinux label of its mounts", "LABEL", ""),
)
VERBS = (
    Verb("create", "create", "Make a container, which waits to be started", _CREATE),
    Verb("start", "start", "Have a container that was made execute its program"),
    Verb(
        *("run", "run", "Make and start a container, and wait for its end"),
        (
            *_CREATE,
            ("detach", "Do not wait", "", "d"),
            ("keep", "Keep the container when it has ended", "", ""),
            ("no-subreaper", "Taken: what the container leaves is not this program's", "", ""),
        ),
    ),
    Verb("state", "state", "Show the state of a container as JSON", (_ANY,)),
    Verb(
        *("kill", "kill", "Send a signal (default: TERM) to a container's process"),
        (("all", "Send it to all its processes", "", "a"), _REGEX),
        *("ID [SIGNAL]", 1, 2),
    ),
    Verb(
        *("delete", "delete", "Remove a container that has ended"),
        (("force", "Kill it before, and be content where there is none", "", "f"), _REGEX),
    ),
    Verb("exec", "execute", "Execute a command in a container", _EXEC, "ID [COMMAND [ARGUMENT…]]", 1, 1 << 20, True),
    Verb(
        *("list", "listing", "List the containers"),
        (_FORMAT, ("quiet", "Show their ids only", "", "q")),
        *("", 0, 0),
    ),
    Verb("ps", "ps", "Show the processes of a container", (_FORMAT,), "ID [OPTION OF PS…]", 1, 1 << 20, True),
    Verb("pause", "pause", _PAUSE),
    Verb("resume", "resume", "Let its processes go on"),
    Verb("update", "update", "Change the limits of a container", _UPDATE),
    Verb(
        *("events", "events", "Show how much of its limits a container uses, and when memory runs out"),
        (
            ("stats", "Show the numbers once", "", ""),
            ("interval", "Time between two lines of numbers, as 5s (default) or 1m", "TIME", ""),
        ),
    ),
    Verb(
        *("spec", "spec", "Write a config.json to begin with"),
        (
            ("bundle", "Directory for it (default: the working directory)", "DIR", "b"),
            ("rootless", "For containers of the caller, who is not root", "", ""),
        ),
        *("", 0, 0),
    ),
    Verb("checkpoint", "checkpoint", "Write a running container to an image, and end it: with criu(8)", _CHECKPOINT),
    Verb("restore", "restore", "Make a container of a bundle and an image, which goes on: with criu(8)", _RESTORE),
    Verb("features", "features", "Show what the runtime has, as JSON", (), "", 0, 0),
)


def find(name: str, verbs: Sequence[Verb] = VERBS) -> Verb:
    """The verb *name*.

    Raises:
        UsageError: there is none.
    """
    for verb in verbs:
        if verb.name == name:
            return verb
    raise UsageError(f"there is no command '{name}'; see nsunit-oci --help")


class Given:
    """The options of a command line by name, and its operands."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.operands: list[str] = []

    def one(self, name: str, default: str = "") -> str:
        """The last value given for *name*."""
        return self.values[name][-1] if name in self.values else default

    def all(self, name: str) -> list[str]:
        """All of them."""
        return self.values.get(name, [])

    def has(self, name: str) -> bool:
        """Whether a flag was given, and not as false."""
        return name in self.values and self.one(name) not in ("false", "0", "f")

    def number(self, name: str, default: int = 0) -> int:
        """A number.

        Raises:
            UsageError: it is none.
        """
        text = self.one(name)
        if text and not text.isdecimal():
            raise UsageError(f"--{name}: '{text}' is no number")
        return int(text) if text else default


def parse(words: Sequence[str], options: Sequence[Option], *, stops: bool) -> tuple[Given, int]:
    """Read options and operands; with *stops* up to the first operand.  Returns how many words were taken, too.

    As Go's flags have it, one dash will do for a long option.

    Raises:
        UsageError: an option is unknown, or its value is missing.
    """
    given = Given()
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            given.operands += words[index:]
            return given, len(words)
        if not word.startswith("-") or word == "-":
            if stops:
                return given, index - 1
            given.operands.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        found = [(long, takes) for long, _, takes, short in options if name and name in (long, short)]
        if not found:
            raise UsageError(f"unknown option '{word}'")
        long, takes = found[0]
        if takes and not equals:
            if index == len(words):
                raise UsageError(f"option '{word}' requires an argument")
            value = words[index]
            index += 1
        given.values.setdefault(long, []).append(value)
    return given, index
