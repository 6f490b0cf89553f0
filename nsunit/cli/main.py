"""The entry point of `nsunit`: find the verb, run it, turn errors into lines and an exit status.

`nsunit start` is to be fast, so what is imported up here is imported by every command: the parser, the table of verbs
and the errors, nothing else.
"""

from __future__ import annotations

import gc
import os
import sys

from nsunit.cli.options import Invocation, parse
from nsunit.cli.verbs import FAMILIES, GLOBAL_OPTIONS, all_verbs, family, find_verb
from nsunit.errors import AS_ROOT, DefinitionError, NsunitError, UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from nsunit.cli.options import Verb

EXIT_FAILURE = 1
EXIT_SESSION = 125
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwinds the stack, so that what was half done is undone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run() -> None:
    """Run the process's own command line and exit: the entry point of the `nsunit` command.

    The process lives for a moment: collecting garbage, or tearing the interpreter down, costs more than most commands.
    """
    gc.disable()
    status = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            status = EXIT_BROKEN_PIPE
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* (without the program's name) and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        _unwind_on_signals()
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has gone, e.g. `nsunit list | head`; nothing is left to be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Terminated as signal:
        return 128 + signal.number
    except Exception as error:
        if _is_debugging(arguments):
            import traceback

            traceback.print_exc()
        return report(error)


def _run(arguments: list[str]) -> int:
    values, operands = parse(arguments, GLOBAL_OPTIONS, stop_at=0)
    if not operands:
        return _without_verb(values)
    name, *rest = operands
    if name in FAMILIES:
        if not rest or rest[0].startswith("-"):
            return _without_second_word(name, "help" in values or rest[:1] in (["--help"], ["-h"]))
        name = f"{name} {rest.pop(0)}"
    verb = find_verb(name)
    if verb is None:
        raise UsageError(f"'{printable(name)}' is not a verb of nsunit", hint=_suggest_verb(name))
    known = () if verb.foreign and rest not in (["--help"], ["-h"]) else (*GLOBAL_OPTIONS, *verb.options)
    more, operands = parse(rest, known, verb.command_at, verb.names[0]) if known else ({}, rest)
    for long, items in more.items():
        values[long] = items
    if "help" in values:
        from nsunit.cli.help import print_help

        return print_help(verb, plain="no-color" in values)
    if "version" in values:
        return _print_version()
    _check_operands(verb, operands, "all" in values)
    function = _function(verb)
    try:
        return function(Invocation(verb, values, operands))
    except NsunitError as error:
        if verb.group == "session" and error.exit_status not in (126, 127):
            error.exit_status = EXIT_SESSION  # any other number could be the payload's own
        raise


def _without_verb(values: dict[str, list[str]]) -> int:
    from nsunit.cli.help import print_help

    if "help" in values:
        return print_help(None, plain="no-color" in values)
    if "version" in values:
        return _print_version()
    raise UsageError("a verb is missing", hint="see 'nsunit --help'")


def _without_second_word(name: str, is_help: bool) -> int:
    if is_help:
        from nsunit.cli.help import print_family_help

        return print_family_help(name)
    verbs = ", ".join(f"'{verb.names[0]}'" for verb in family(name))
    raise UsageError(f"{name}: what is missing", hint=f"there are {verbs}")


def _print_version() -> int:
    from nsunit.cli.host import print_version

    return print_version()


def _suggest_verb(name: str) -> str:
    from nsunit.definition.near import did_you_mean

    known = [alias for verb in all_verbs() for alias in verb.names]
    return did_you_mean(name, known, "'nsunit {}'") or "see 'nsunit --help'"


def _check_operands(verb: Verb, operands: list[str], everything: bool) -> None:
    name = verb.names[0]
    usage = f"nsunit {name} [OPTIONS] {verb.operands}".rstrip()
    if everything and operands and verb.group == "lifecycle":
        raise UsageError(f"{name}: --all and names exclude each other", hint=usage)
    takes_all = any(option.long == "all" for option in verb.options) and verb.group == "lifecycle"
    if len(operands) < verb.least or (takes_all and not operands and not everything):
        missing = "a command" if operands and verb.command_at else "a name"
        raise UsageError(f"{name}: {missing} is missing", hint=usage)
    if verb.most is not None and len(operands) > verb.most:
        raise UsageError(f"{name}: '{printable(operands[verb.most])}' is one operand too many", hint=usage)


def _function(verb: Verb) -> Callable[[Invocation], int]:
    module, _, function = verb.run.partition(":")
    __import__(module)
    found: Callable[[Invocation], int] = getattr(sys.modules[module], function)
    return found


def _unwind_on_signals() -> None:
    from _signal import SIGHUP, SIGTERM, signal  # type: ignore[import-not-found]  # the signal module would bring in enum

    def unwind(number: int, _frame: FrameType | None) -> None:
        raise Terminated(number)

    for number in (SIGTERM, SIGHUP):
        signal(number, unwind)


def _is_debugging(arguments: list[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--debug" in own


def report(error: Exception) -> int:
    """Print *error* to standard error, one line and its hint, and return the exit status it stands for."""
    if isinstance(error, DefinitionError):
        for problem in error.problems:
            _complain(str(problem), problem.hint)
        return error.exit_status
    if isinstance(error, NsunitError):
        _complain(error.message, error.hint)
        return error.exit_status
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        _complain(f"{where}{error.strerror or error}", AS_ROOT if error.errno in (1, 13) else None)
        return EXIT_FAILURE
    kind = type(error).__name__
    _complain(f"internal error: {kind}: {error}", "this is a bug in nsunit; '--debug' shows where")
    return EXIT_FAILURE


def _complain(message: str, hint: str | None) -> None:
    lines = [f"nsunit: {printable(message)}"]
    if hint:
        lines.append(f"  hint: {printable(hint)}")
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
