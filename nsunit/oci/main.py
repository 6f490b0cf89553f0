"""The entry point of `nsunit-oci`: the command line, the log, the exit status.

Engines call it several times for each container, so it is counted what it imports: see tests/unit/oci/test_light.py.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import sys

from nsunit.bytecode import preload
from nsunit.errors import NsunitError
from nsunit.oci.context import Context, Log
from nsunit.oci.errors import UsageError
from nsunit.oci.options import GLOBAL, VERBS, find, parse
from nsunit.setup import system as os
from nsunit.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.oci.options import Option, Verb

SPEC_VERSION = "1.3.0"
EXIT_FAILED = 1


def run() -> None:
    """Run the process's own command line and exit, without tearing the interpreter down."""
    _fill_standard_streams()
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, as some start others, there is no child to wait for
    status = main(sys.argv[1:])
    try:
        _flush()
        sys.stderr.flush()
    except OSError as error:
        status = status or _fail(None, f"standard output: {error.strerror}")
    except AttributeError:
        pass  # it is closed
    os._exit(status)


def _flush() -> None:
    try:
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        pass  # nobody reads it any more


def main(words: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    log = None
    try:
        given, taken = parse(words, GLOBAL, stops=True)
        if given.has("version"):
            _say(f"nsunit-oci version {VERSION}\nspec: {SPEC_VERSION}\n")
            return 0
        rest = words[taken:]
        if given.has("help") or not rest or rest[0] in ("help", "--help", "-h"):
            _say(_help())
            return 0
        log = Log(given.one("log"), given.one("log-format"))
        context = Context(given, log)
        verb = find(rest[0])
        if any(word in ("--help", "-h") for word in rest[1:2]):
            _say(_help_of(verb))
            return 0
        mine, stop = parse(rest[1:], verb.options, stops=verb.command)
        if verb.command:
            mine.operands += rest[1 + stop :]
        if not verb.least <= len(mine.operands) <= verb.most:
            raise UsageError(f'"{verb.name}" takes {verb.operands or "no operands"}')
        # By its name in a table, so that other verbs are not loaded.
        preload(f"oci.{verb.module}")
        module = __import__(f"nsunit.oci.verbs.{verb.module}", fromlist=["run"])
        status, text = module.run(context, mine)
        _say(text)
        return int(status)
    except NsunitError as error:
        return _fail(log, error.message)
    except OSError as error:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        return _fail(log, f"{where}{(error.strerror or str(error))}")
    except KeyboardInterrupt:
        return 130  # as of a command that the signal has ended


def _fill_standard_streams() -> None:
    """Have /dev/null for what is closed of them, as runc does, so that nothing else is opened in their place."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)  # the lowest is free


def _say(text: str) -> None:
    if text and sys.stdout is not None:  # it was closed
        sys.stdout.write(text)


def _fail(log: Log | None, message: str) -> int:
    if log is not None:
        log.write("error", message)
    try:
        sys.stderr.write(message.encode("utf-8", "backslashreplace").decode() + "\n")
    except (OSError, AttributeError):
        pass  # it is closed, or nobody reads it
    return EXIT_FAILED


def _help() -> str:
    lines = ["nsunit-oci [OPTION…] COMMAND [OPTION…] ID", "", "An OCI runtime: see nsunit-oci(8).", "", "Commands:"]
    lines += [f"  {verb.name:12} {verb.help}" for verb in VERBS]
    return "\n".join([*lines, "", "Options:", *_option_lines(GLOBAL)]) + "\n"


def _help_of(verb: Verb) -> str:
    lines = [f"nsunit-oci {verb.name} [OPTION…] {verb.operands}".rstrip(), "", verb.help + "."]
    return "\n".join([*lines, *(["", "Options:"] if verb.options else []), *_option_lines(verb.options)]) + "\n"


def _option_lines(options: Sequence[Option]) -> list[str]:
    lines = []
    for name, help_, value, letter in options:
        short = f"-{letter}, " if letter else "    "
        lines.append(f"  {short}--{name + (' ' + value if value else ''):28} {help_}")
    return lines
