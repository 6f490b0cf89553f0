"""The entry point of `nsunit`: parse the command line, find the verb, run it, turn errors into an exit status.

`nsunit start` is to be fast, so what is imported up here is imported by every command: what verbs are, names and the
errors, nothing else.

The parser follows getopt_long(3) as systemd's own tools use it, apart from abbreviated long options: options may stand
before or after operands, `--` ends them, short flags cluster, `--name=value` and `--name value` both work.  Verbs that
take a command of somebody else's stop at its first word.  argparse would take 20 ms to import.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _thread  # the C half of threading
import gc
import io
import os
import sys
import time

from nsunit.cli import fail, report, say, set_user, tell_deaf
from nsunit.cli.verbs import GLOBAL_OPTIONS, Invocation, family, find_verb, load
from nsunit.errors import UsageError, did_you_mean
from nsunit.names import is_pattern, is_pod, is_valid_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from sys import UnraisableHookArgs
    from types import FrameType
    from typing import Any

    from nsunit.cli.verbs import Function, Option, Verb
    from nsunit.core.jobs import Outcome

EXIT_SESSION = 125
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

_NOTHING_DONE = {
    "running": "is already running",
    "listening": "listens for its first connection",
    "mended": "listens again",
    "inactive": "is not running",
    "absent": "nothing was kept",
    "unchanged": "was so already",
}


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwinds the stack, so that what was half done is undone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_IMPORTING = "<frozen importlib"  # how the files of Python's own importer are called
_MOMENT = 0.005  # seconds
_GARBAGE = 50_000  # objects, about 6 MiB: more than a command on a few containers makes


def run() -> None:
    """Run the process's own command line and exit: the entry point of the `nsunit` command.

    The process lives for a moment: collecting garbage, or tearing the interpreter down, costs more than most commands.
    With hundreds of containers it does collect: pystemd's messages, a third of a MiB each, refer to themselves.
    """
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()
    open_standard_streams()
    sys.unraisablehook = _look_after_unraisable
    try:
        status = main()
    except (KeyboardInterrupt, Terminated):  # one more, when all was said and done
        status = EXIT_INTERRUPTED
    os._exit(status)


class _Output(io.FileIO):
    """Standard output, whose errors tell that they are its own."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = "standard output"
            raise


class _Complaints(io.FileIO):
    """Standard error, which may be closed, full, or gone: no reason to leave something half done."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def open_standard_streams() -> None:
    """Put the null device where a standard stream is closed, or the next file would be there.

    It is opened for the other direction, so that reading and writing fail as they would have.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_WRONLY if fd == 0 else os.O_RDONLY), True)  # the lowest is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, mode, closefd=False))
    out, complaints = io.BufferedWriter(_Output(1, "w", closefd=False)), _Complaints(2, "w", closefd=False)
    before = sys.stdout
    sys.stdout = io.TextIOWrapper(out, before.encoding, before.errors, line_buffering=bool(before.line_buffering))
    sys.stderr = io.TextIOWrapper(complaints, sys.stderr.encoding, "backslashreplace", write_through=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* (without the program's name) and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        _unwind_on_signals()
        status = _run(arguments)
    except BrokenPipeError:
        status = EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        status = _interrupted(EXIT_INTERRUPTED)
    except Terminated as signal:
        status = _interrupted(128 + signal.number)
    except OSError as error:
        return _report_output() or _report(error, arguments)
    except Exception as error:
        status = _report(error, arguments)
    return _report_output() or status


def _interrupted(status: int) -> int:
    if "nsunit.cli.progress" in sys.modules:  # else no line was shown
        load("nsunit.cli.progress:interrupted")()
    return status


def _report(error: Exception, arguments: list[str]) -> int:
    if _is_debugging(arguments):
        sys.__excepthook__(type(error), error, error.__traceback__)
    return report(error)


def _report_output() -> int:
    """0 if what was said so far is out, else the exit status of a command that could not say it."""
    try:
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        status = EXIT_BROKEN_PIPE  # the reader has gone, e.g. `nsunit list | head`
    except OSError as error:
        status = report(error)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be written at exit
    return status


def _run(arguments: list[str]) -> int:
    set_user(False)
    values, operands = parse(arguments, GLOBAL_OPTIONS, stop_at=0)
    if not operands:
        return _without_verb(values)
    name, *rest = operands
    if verbs := family(name):
        if not rest or rest[0].startswith("-"):
            return _without_second_word(name, verbs, "help" in values or rest[:1] in (["--help"], ["-h"]))
        name = f"{name} {rest.pop(0)}"
    verb = find_verb(name)
    if verb is None:
        hint = load("nsunit.cli.foreign:suggestion")(name, rest)
        raise UsageError(f"'{printable(name)}' is not a verb of nsunit", hint=hint)
    try:
        return _run_verb(verb, name, rest, values)
    except Exception as error:
        if verb.group == "session" and getattr(error, "exit_status", 1) not in (126, 127):
            error.exit_status = EXIT_SESSION  # type: ignore[attr-defined]  # any other could be the payload's own
        raise


def _run_verb(verb: Verb, name: str, rest: list[str], values: dict[str, list[str]]) -> int:
    is_foreign = verb.foreign and rest not in (["--help"], ["-h"])
    known = () if is_foreign else (*GLOBAL_OPTIONS, *verb.options, *verb.understood)
    more, operands = parse(rest, known, verb.command_at, verb.names[0]) if known else ({}, rest)
    values |= more
    if "help" in values:
        return _print_help(verb, values)
    if "version" in values:
        return _print_version()
    _check_operands(verb, operands, "all" in values)
    set_user("user" in values)
    if "host" in values:
        load("nsunit.cli.remote:hand_over")(name, values, operands, foreign=verb.foreign)
    return _call(Invocation(verb, values, operands))


def _call(invocation: Invocation) -> int:
    verb = invocation.verb
    run = next(
        (option.run for option in (*verb.options, *verb.understood) if option.run and invocation.flag(option.long)),
        verb.run,
    )
    if verb.moves:
        invocation.context().moving.begin()
    if verb.connects:
        invocation.context().connect()
    if verb.patterns and any(map(is_pattern, invocation.operands)):
        invocation.operands = load("nsunit.cli.patterns:expanded")(invocation)
        if not invocation.operands:  # as systemctl has it, nothing to do is done
            return int(load(verb.nothing)(invocation) if verb.nothing else _conclude(invocation, ()))
    function: Function = load(run, pack=verb.names[0])
    done = function(invocation)
    return done if isinstance(done, int) else _conclude(invocation, done)


def _conclude(invocation: Invocation, outcomes: Sequence[Outcome]) -> int:
    """Print what became of each container, errors last; the exit status is that of the errors, 1 if they differ."""
    if invocation.flag("json"):
        load("nsunit.cli.output:print_json")(outcomes)
    elif not invocation.flag("quiet"):
        for outcome in outcomes:
            _tell(outcome)
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    return fail(failures)


def _tell(outcome: Outcome) -> None:
    if outcome.error is not None:
        return
    tell_deaf(outcome)
    if outcome.state in _NOTHING_DONE:
        say(f"{outcome.name}: {_NOTHING_DONE[outcome.state]}")
    elif outcome.state == "differs":
        sys.stdout.flush()
        sys.stderr.write(f"nsunit: {outcome.name}: runs with another definition than it has now\n")
        for difference in outcome.differences:
            sys.stderr.write(f"  {printable(difference)}\n")
        how = f"'nsunit apply {outcome.name}' changes what can change while it runs"
        if is_pod(outcome.name):
            how = f"'nsunit restart {outcome.name}' makes it so, with its containers"
        sys.stderr.write(f"  hint: {how}\n")


def _without_verb(values: dict[str, list[str]]) -> int:
    if "help" in values:
        return _print_help(None, values)
    if "version" in values:
        return _print_version()
    raise UsageError("a verb is missing", hint="see 'nsunit --help'")


def _without_second_word(name: str, verbs: Sequence[Verb], is_help: bool) -> int:
    if is_help:
        return int(load("nsunit.cli.help:print_family_help")(name))
    hint: str = load("nsunit.cli.foreign:all_of")(verbs)
    raise UsageError(f"{name}: its second word is missing", hint=hint)


def _print_help(verb: Verb | None, values: dict[str, list[str]]) -> int:
    return int(load("nsunit.cli.help:print_help")(verb, plain="no-color" in values))


def _print_version() -> int:
    return int(load("nsunit.cli.host.version:print_version")())


def _check_operands(verb: Verb, operands: list[str], everything: bool) -> None:
    name = verb.names[0]
    usage = f"nsunit {name} [OPTIONS] {verb.operands}".rstrip()
    if everything and operands and verb.group == "lifecycle":
        raise UsageError(f"{name}: --all and names exclude each other", hint=usage)
    takes_all = any(option.long == "all" for option in verb.options) and verb.group == "lifecycle"
    if len(operands) > 1 and verb.operands.lstrip("[").startswith("NAME ") and not is_valid_name(operands[0]):
        load("nsunit.cli.foreign:check_order")(verb, operands)
    if len(operands) < verb.least or (takes_all and not operands and not everything):
        hint = load("nsunit.cli.foreign:operand")(name) or usage
        raise UsageError(f"{name}: {_missing(verb, len(operands))} is missing", hint=hint)
    if verb.most is not None and len(operands) > verb.most:
        raise UsageError(f"{name}: '{printable(operands[verb.most])}' is one operand too many", hint=usage)


def _missing(verb: Verb, given: int) -> str:
    """What is to stand where the operands end, of which there are *given*."""
    words = verb.operands.split()
    if words[0].startswith("-"):
        del words[:2]  # an option that has to be there
    word = words[given].removesuffix("…").partition("|")[0].rpartition("]")[2]
    return {"NAME": "a name", "COMMAND": "a command"}.get(word, word)


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
    values: dict[str, list[str]] = {}
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            operands += rest
            break
        if argument.startswith("--"):
            _take_long(argument[2:], rest, longs, values, verb)
        elif argument.startswith("-") and argument != "-":
            _take_shorts(argument[1:], rest, shorts, values, verb)
        else:
            operands.append(argument)
            if stop_at is not None and len(operands) > stop_at:
                operands += rest
                break
            if stop_at is not None and len(operands) == stop_at and rest[:1] == ["--"]:
                operands += rest[1:]
                break
    return values, operands


def _take_long(text: str, rest: list[str], longs: dict[str, Option], values: dict[str, list[str]], verb: str) -> None:
    name, equals, value = text.partition("=")
    option = longs.get(name)
    if option is None:
        hint = _foreign(verb, name) or did_you_mean(name, list(longs), "'--{}'") or _help_line(verb)
        raise UsageError(f"'--{printable(name)}' is not an option", hint=hint)
    if option.stands_for and (equals or os.geteuid() == 0):
        option = longs[option.stands_for]
    if not option.value:
        if equals:
            raise UsageError(f"--{name} takes no value, but got '{printable(value)}'", hint=_help_line(verb))
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
    text: str, rest: list[str], shorts: dict[str, Option], values: dict[str, list[str]], verb: str
) -> None:
    while text:
        letter, text = text[0], text[1:]
        option = shorts.get(letter)
        if option is None:
            raise UsageError(
                f"'-{printable(letter)}' is not an option", hint=_foreign(verb, letter) or _help_line(verb)
            )
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


def _help_line(verb: str) -> str:
    return f"see 'nsunit {verb} --help'" if verb else "see 'nsunit --help'"


def _foreign(verb: str, name: str) -> str | None:
    """What to type instead of an option that another tool has."""
    found: str | None = load("nsunit.cli.foreign_options:option")(verb, name)
    return found


def _store(option: Option, value: str, values: dict[str, list[str]]) -> None:
    if option.repeat:
        values.setdefault(option.long, []).append(value)
    else:
        values[option.long] = [value]


def _unwind_on_signals() -> None:
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, as some start others, there is no child to wait for
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) != _signal.SIG_IGN:  # as nohup(1) has it
            _signal.signal(number, _unwind)


def _unwind(number: int, frame: FrameType | None) -> None:
    """The handler of signals that end a command, which wait while a module is imported.

    What is written in C may say something of an exception there, and forget it: that of PyYAML does.
    """
    while frame:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            _come_again(number)
            return
        frame = frame.f_back
    raise KeyboardInterrupt if number == _signal.SIGINT else Terminated(number)


def _come_again(number: int) -> None:
    """Have the signal *number* come once more in a moment."""

    def send() -> None:
        time.sleep(_MOMENT)
        os.kill(os.getpid(), number)

    _thread.start_new_thread(send, ())


def _look_after_unraisable(unraisable: UnraisableHookArgs) -> None:
    """A signal that came where no exception gets out of, a destructor for one, is to come again."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        _come_again(_signal.SIGINT)
    elif isinstance(unraisable.exc_value, Terminated):
        _come_again(unraisable.exc_value.number)
    else:
        sys.__unraisablehook__(unraisable)


def _is_debugging(arguments: list[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--debug" in own


if __name__ == "__main__":
    sys.exit(main())
