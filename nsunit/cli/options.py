"""The command line: what an option and a verb are, and the parser.

It follows getopt_long(3) as systemd's own tools use it, apart from abbreviated long options: options may stand before
or after operands, `--` ends them, short flags cluster, `--name=value` and `--name value` both work.  Verbs that take a
command of somebody else's stop at its first word.  argparse would take 20 ms to import.
"""

from __future__ import annotations

import sys

from nsunit.errors import UsageError
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.manager.context import Context


class Option(Record):
    """One option of a verb, or a global one.

    `value` is the placeholder shown for its value, empty for a flag.  `implied` is the value of an option that stands
    without one; such a value can only be given as `--name=value`.  `complete` says what the shell completes the value
    with: "file", "directory", or the words themselves.
    """

    long: str
    summary: str
    short: str = ""
    value: str = ""
    repeat: bool = False
    complete: tuple[str, ...] = ()
    implied: str = ""

    @property
    def equals_value(self) -> str:
        """How its value is shown behind the long name: `=VALUE`, `[=VALUE]` or nothing."""
        if not self.value:
            return ""
        return f"[={self.value}]" if self.implied else f"={self.value}"

    @property
    def display(self) -> str:
        """How the user writes it, for messages."""
        return f"--{self.long}"


class Verb(Record):
    """One verb: `run` is "module:function" and is imported when the verb is called.

    `operands` is how they are shown; `least` and `most` how many there may be (None: any number). `command_at` is the
    operand from which on everything belongs to another program's command line, `foreign` that all of it does, options
    too. `complete` says what operands are completed with: "defined" or "running" containers ("…_any": and groups),
    "definitions" of all that and of networks, "networks", "user", "verbs", "file", "command". `name` may list aliases
    after a slash. `details` are paragraphs for the help and the man page.
    """

    name: str
    group: str
    summary: str
    run: str
    operands: str = ""
    least: int = 0
    most: int | None = 0
    options: tuple[Option, ...] = ()
    command_at: int | None = None
    foreign: bool = False
    complete: str = ""
    details: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The verb's name and its aliases."""
        return self.name.split("/")


class Invocation:
    """A parsed command line, as the functions behind the verbs get it."""

    def __init__(self, verb: Verb, values: dict[str, list[str]], operands: list[str]) -> None:
        self.verb = verb
        self.operands = operands
        self._values = values

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
            UsageError: it is not a whole number.
        """
        text = self.value(long)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()):
            raise UsageError(f"'{printable(text)}' is not a number, as --{long} needs it")
        return int(text)

    def context(self) -> Context:
        """Open what the manager works with: the system's containers, or with --user the user's.

        Raises:
            UsageError: --user was given by root.
        """
        from nsunit.manager.context import open_context

        tell = None if self.flag("quiet") else warn
        if self.flag("user"):
            from nsunit.manager.context import open_user_context

            return open_user_context(tell)
        return open_context(tell)


def warn(text: str) -> None:
    """Print a line that tells of something other than an error to standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"nsunit: {printable(text)}\n")


def parse(
    arguments: Sequence[str], options: Sequence[Option], stop_at: int | None = None, verb: str = ""
) -> tuple[dict[str, list[str]], list[str]]:
    """Split *arguments* into the values of *options*, by long name, and operands.

    From operand number *stop_at* on (0 is the first) nothing is an option any more; a `--` in front of it is dropped.

    Raises:
        UsageError: an option is unknown, lacks its value or has one too many.
    """
    longs = {option.long: option for option in options}
    shorts = {option.short: option for option in options if option.short}
    help_line = f"see 'nsunit {verb} --help'" if verb else "see 'nsunit --help'"
    values: dict[str, list[str]] = {}
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            operands += rest
            break
        if argument.startswith("--"):
            _take_long(argument[2:], rest, longs, values, help_line)
        elif argument.startswith("-") and argument != "-":
            _take_shorts(argument[1:], rest, shorts, values, help_line)
        else:
            operands.append(argument)
            if stop_at is not None and len(operands) > stop_at:
                operands += rest
                break
            if stop_at is not None and len(operands) == stop_at and rest[:1] == ["--"]:
                operands += rest[1:]
                break
    return values, operands


def _take_long(
    text: str, rest: list[str], longs: dict[str, Option], values: dict[str, list[str]], help_line: str
) -> None:
    name, equals, value = text.partition("=")
    option = longs.get(name)
    if option is None:
        raise UsageError(f"'--{printable(name)}' is not an option", hint=_suggest(name, list(longs), help_line))
    if not option.value:
        if equals:
            raise UsageError(f"--{name} takes no value, but got '{printable(value)}'", hint=help_line)
        values[name] = []
        return
    if not equals and option.implied:
        value = option.implied
    elif not equals:
        if not rest:
            raise UsageError(f"--{name} needs a value", hint=f"--{name}={option.value}: {option.summary}")
        value = rest.pop(0)
    _store(option, value, values)


def _take_shorts(
    text: str, rest: list[str], shorts: dict[str, Option], values: dict[str, list[str]], help_line: str
) -> None:
    while text:
        letter, text = text[0], text[1:]
        option = shorts.get(letter)
        if option is None:
            raise UsageError(f"'-{printable(letter)}' is not an option", hint=help_line)
        if not option.value:
            values[option.long] = []
            continue
        if option.implied:
            _store(option, option.implied, values)
            continue
        if not text:
            if not rest:
                raise UsageError(f"-{letter} needs a value", hint=f"-{letter} {option.value}: {option.summary}")
            text = rest.pop(0)
        _store(option, text, values)
        return


def _store(option: Option, value: str, values: dict[str, list[str]]) -> None:
    if option.repeat:
        values.setdefault(option.long, []).append(value)
    else:
        values[option.long] = [value]


def _suggest(name: str, known: list[str], help_line: str) -> str:
    from nsunit.definition.near import did_you_mean

    return did_you_mean(name, known, "'--{}'") or help_line
