"""What a verb of `nsunit` is, and the tables in which each is found.

A table is a module with the records of some verbs, VERBS, which help, completion and the man page are made of too.
Beside it, each in a module of its own, stand the functions behind them.  Of all that a command loads the one table with
its verb, and the one module with its function.
"""

from __future__ import annotations

import os
import sys

from nsunit import bytecode
from nsunit.cli import warn
from nsunit.errors import UsageError
from nsunit.features import FEATURES
from nsunit.names import check_any_name, check_name, is_group, is_pod, printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.core.jobs import Outcome

    # It returns the exit status, or what became of each container: that is printed, and makes the status.
    Function = Callable[["Invocation"], int | Sequence[Outcome]]


class Option(Record):
    """One option of a verb, or a global one.

    `value` is the placeholder shown for its value, empty for a flag.  `implied` is the value of an option that stands
    without one; such a value can only be given as `--name=value`.  `complete` says what the shell completes the value
    with: "file", "directory", "host", or the words themselves.  `run` is the function that is called instead of the
    verb's where the option is given: the first such option counts.  `stands_for` is another option, with a value, that
    is meant by this flag where it has one, or where root gives it.
    """

    long: str
    summary: str
    short: str = ""
    value: str = ""
    repeat: bool = False
    complete: tuple[str, ...] = ()
    implied: str = ""
    run: str = ""
    stands_for: str = ""

    @property
    def equals_value(self) -> str:
        """How its value is shown behind the long name: `=VALUE`, `[=VALUE]` or nothing."""
        if not self.value:
            return ""
        return f"[={self.value}]" if self.implied else f"={self.value}"


class Verb(Record):
    """One verb: `run` is "module:function" and is imported when the verb is called; what that returns, see `Function`.

    `operands` is how they are shown; `least` and `most` how many there may be (None: any number). `command_at` is the
    operand from which on everything belongs to another program's command line, `foreign` that all of it does, options
    too. `complete` says what operands are completed with: "defined" or "running" containers ("…_any": and groups),
    "definitions" of all that and of networks, "networks", "images", "volumes", "user", "verbs", "file", "command", or
    "place" for a file of the host's or of a container;
    `words` is the function that returns what those after the first are completed with. `name` may list aliases after a
    slash, also of a second word. `details` are paragraphs for the help and the man page, `kinds` words that an operand
    may be, each with what it means.

    `connects`: the connection to systemd is begun before the verb's module is imported, since systemd takes its time to
    greet. `moves`: systemd will put processes into cgroups for it, see nsunit.storage.lock. `patterns`: its names may
    be patterns, of what PATTERNS has there. `nothing` is "module:function" that is called where they stand for nothing,
    if that is more than an empty list with --json. `before` is the verb in front of which one of a feature is listed;
    at the end if there is none.
    """

    name: str
    group: str
    summary: str
    run: str
    operands: str = ""
    least: int = 0
    most: int | None = 0
    options: tuple[Option, ...] = ()
    understood: tuple[Option, ...] = ()
    command_at: int | None = None
    foreign: bool = False
    complete: str = ""
    words: str = ""
    details: tuple[str, ...] = ()
    kinds: tuple[tuple[str, str], ...] = ()
    connects: bool = False
    moves: bool = False
    patterns: str = ""
    nothing: str = ""
    before: str = ""

    @property
    def names(self) -> list[str]:
        """The verb's name and its aliases, each with the first word of a family's: `image list` and `image ls`."""
        family, space, names = self.name.rpartition(" ")
        return [f"{family}{space}{name}" for name in names.split("/")]


GLOBAL_OPTIONS = (
    Option("help", "Show this help, or that of a verb", short="h"),
    Option("version", "Show the version"),
    Option("user", "Act on containers of the calling user, who needs no privileges"),
    Option("host", "Do it on another host, through ssh", short="H", value="[USER@]HOST[:PORT]", complete=("host",)),
    Option("json", "Print JSON, see nsunit-json(7)"),
    Option("no-color", "Print without colours, as with $NO_COLOR"),
    Option("no-headings", "Print tables without their headings"),
    Option("quiet", "Print errors only, and of lists the names", short="q"),
    Option("debug", "Print a traceback with an error"),
)

GROUPS = {
    "lifecycle": "Life cycle",
    "change": "Changing what runs",
    "look": "Looking",
    "definition": "Definitions",
    "session": "Commands in containers",
    "transfer": "Files in and out, back up and move",
    "image": "Images",
    "volume": "Volumes",
    "host": "Host",
    "cgroup": "Control groups",
}

# What a verb may have in `patterns`: what those stand for.
PATTERNS = {
    "running": "containers that run",
    "listed": "containers that 'nsunit list' shows",
    "defined": "containers that are defined",
    "enabled": "containers that are enabled",
    "known": "containers that 'nsunit list --all' shows",
    "definitions": "definitions",
}

# The tables, with the verbs in each: so another table is loaded only when one of its verbs is called.
TABLES = {
    "nsunit.cli.lifecycle": "start stop restart reload enable disable kill pause resume wait rm prune",
    "nsunit.cli.project": "up down",
    "nsunit.cli.look": "list ls status show inspect logs stats ps top events why analyze mount umount",
    "nsunit.cli.session": "exec enter run",
    "nsunit.cli.change": "set reclaim plan apply dropin",
    "nsunit.cli.definitions": "create render verify cat edit",
    "nsunit.cli.host": "doctor version help",
}

_DIGITS_MAX = 9  # of a number that fits into an int of C's

# The functions that say for which containers a group or pod stands.
_MEMBERS = {
    "running": "nsunit.cli.members:running",
    "running or failed": "nsunit.cli.members:running_or_failed",
    "defined": "nsunit.cli.members:defined",
    "enabled": "nsunit.cli.lifecycle.enabled:enabled",
}


def find_verb(name: str) -> Verb | None:
    """Return the verb of that name or alias; one of a family has two words, such as `ns list`."""
    own = next((module for module, words in TABLES.items() if name in words.split()), None)
    verbs = table(own) if own else _of_features()
    return next((verb for verb in verbs if name in verb.names), None)


def family(name: str) -> list[Verb]:
    """Return the verbs of two words whose first is *name*; none if there is no such family."""
    if any(name in words.split() for words in TABLES.values()):
        return []
    return [verb for verb in _of_features() if verb.name.startswith(f"{name} ")]


def families() -> list[str]:
    """Return the first words of the verbs that have two."""
    return list(dict.fromkeys(verb.name.partition(" ")[0] for verb in _of_features() if " " in verb.name))


def all_verbs() -> list[Verb]:
    """Return every verb there is, in the order in which they are listed."""
    found = [verb for module in TABLES for verb in table(module)]
    for verb in _of_features():
        places = [place for place, other in enumerate(found) if other.name == verb.before]
        found.insert(places[0] if places else len(found), verb)
    return found


def table(module: str) -> tuple[Verb, ...]:
    """Return the verbs whose table is in *module*."""
    verbs: tuple[Verb, ...] = load(f"{module}:VERBS", pack=module.removeprefix("nsunit."))
    return verbs


def _of_features() -> list[Verb]:
    """All verbs that features bring, whose tables are loaded for a verb that is in none of the others."""
    return [verb for feature in FEATURES if feature.verbs for verb in table(f"nsunit.cli.{feature.verbs}")]


def load(name: str, pack: str = "") -> Any:
    """Import a module and return what is in it, by "module:name" as it stands in a table; first all of *pack*."""
    module, _, attribute = name.partition(":")
    if pack:
        bytecode.preload(pack)
    __import__(module)
    return getattr(sys.modules[module], attribute)


class Invocation:
    """A parsed command line, as the functions behind the verbs get it."""

    def __init__(self, verb: Verb, values: dict[str, list[str]], operands: list[str]) -> None:
        self.verb = verb
        self.operands = operands
        self._values = values
        self._context: Context | None = None

    def flag(self, long: str) -> bool:
        """Tell whether the flag was given."""
        return long in self._values

    def value(self, long: str) -> str | None:
        """Return the option's value, the last one if it was given several times."""
        values = self._values.get(long)
        return values[-1] if values else None

    def values(self, long: str) -> tuple[str, ...]:
        """Return all values of a repeated option."""
        return tuple(self._values.get(long, ()))

    def number(self, long: str, default: int) -> int:
        """Return the option's value as a number.

        Raises:
            UsageError: it is not a whole number, or more than programs have in an int.
        """
        text = self.value(long)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()):
            raise UsageError(f"'{printable(text)}' is not a number, as --{long} needs it")
        if len(text) > _DIGITS_MAX:
            raise UsageError(f"'{printable(text)}' is too much for --{long}", hint=f"{_DIGITS_MAX} digits are the most")
        return int(text)

    def context(self) -> Context:
        """Return what the manager works with: the system's containers, or with --user the user's; it is opened once.

        Raises:
            UsageError: --user was given by root.
        """
        if self._context is None:
            from nsunit.core.context import open_context, open_user_context  # help needs none

            opened = open_user_context if self.flag("user") else open_context
            self._context = opened(None if self.flag("quiet") else warn)
            if not self.flag("quiet") and os.isatty(2):
                self._context.progress = lambda *said: load("nsunit.cli.progress:show")(*said)
                self._context.waits = lambda text: load("nsunit.cli.progress:wait")(text)
                self._context.batch = lambda *said: load("nsunit.cli.progress:count")(*said)
        return self._context

    def names(self, members: str = "", *, pods: bool = False, groups: bool = False) -> list[str]:
        """Return the operands, checked and each once.

        With *members*, a key of `_MEMBERS`, a group or pod stands for such containers in it, with *pods*
        a pod for itself as well, and with *groups* a group.
        """
        names: list[str] = []
        for name in self.operands:
            if not (is_group(name) or is_pod(name)):
                names.append(check_name(name))
                continue
            check_any_name(name)
            if not members or (pods if is_pod(name) else groups):
                names.append(name)
            if members:
                names += load(_MEMBERS[members])(self.context(), name)
        return list(dict.fromkeys(names))
