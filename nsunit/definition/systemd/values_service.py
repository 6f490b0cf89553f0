"""Parsers for systemd.service(5), systemd.exec(5) and systemd.kill(5): text → D-Bus values."""

from __future__ import annotations

from nsunit.definition.signals import signal_number
from nsunit.definition.systemd.values_control import cpu_set
from nsunit.definition.values import (
    UINT32_MAX,
    Properties,
    choice,
    index,
    is_digits,
    plain_path,
    size,
    string,
    timeout,
    usec,
    word_list,
)
from nsunit.definition.words import ValueProblem, next_word, split, wrong
from nsunit.units import INFINITY, Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_STATUSES = {
    name: int(status)
    for name, _, status in (
        item.partition("=")
        for item in (
            "SUCCESS=0 FAILURE=1 INVALIDARGUMENT=2 NOTIMPLEMENTED=3 NOPERMISSION=4 NOTINSTALLED=5"
            " NOTCONFIGURED=6 NOTRUNNING=7 USAGE=64 DATAERR=65 NOINPUT=66 NOUSER=67 NOHOST=68 UNAVAILABLE=69"
            " SOFTWARE=70 OSERR=71 OSFILE=72 CANTCREAT=73 IOERR=74 TEMPFAIL=75 PROTOCOL=76 NOPERM=77"
            " CONFIG=78 CHDIR=200 NICE=201 FDS=202 EXEC=203 MEMORY=204 LIMITS=205 OOM_ADJUST=206"
            " SIGNAL_MASK=207 STDIN=208 STDOUT=209 CHROOT=210 IOPRIO=211 TIMERSLACK=212 SECUREBITS=213"
            " SETSCHEDULER=214 CPUAFFINITY=215 GROUP=216 USER=217 CAPABILITIES=218 CGROUP=219 SETSID=220"
            " CONFIRM=221 STDERR=222 PAM=224 NETWORK=225 NAMESPACE=226 NO_NEW_PRIVILEGES=227 SECCOMP=228"
            " SELINUX_CONTEXT=229 PERSONALITY=230 APPARMOR=231 ADDRESS_FAMILIES=232 RUNTIME_DIRECTORY=233"
            " CHOWN=235 SMACK_PROCESS_LABEL=236 KEYRING=237 STATE_DIRECTORY=238 CACHE_DIRECTORY=239"
            " LOGS_DIRECTORY=240 CONFIGURATION_DIRECTORY=241 NUMA_POLICY=242 CREDENTIALS=243 BPF=245"
            " EXCEPTION=255"
        ).split()
    )
}

LOG_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
LOG_FACILITIES = (
    *"kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split(),
    *("", "", "", ""),
    *(f"local{number}" for number in range(8)),
)
SCHEDULERS = ("other", "fifo", "rr", "batch", "", "idle", "", "ext")
IO_CLASSES = ("none", "realtime", "best-effort", "idle")
NUMA_POLICIES = ("default", "preferred", "bind", "interleave", "local", "preferred-many", "weighted-interleave")
CORE_PARTS = (
    "private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers private-huge shared-huge"
    " private-dax shared-dax"
).split()

_CORE_DEFAULT = 0b110011
_FIELD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SIZE_LIMITS = frozenset("FSIZE DATA STACK CORE RSS AS MEMLOCK MSGQUEUE".split())
_LIMIT_HINT = "use a number, SOFT:HARD, or infinity"
_CHARACTER = "`printf '\\{:03o}'`"
_OUTPUT_HINT = "use journal, null, inherit, kmsg, file:PATH, append:PATH or truncate:PATH"

log_level = index(LOG_LEVELS)


def hooks(text: str) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """Command lines that systemd runs on the host: `[-][@]PATH ARGUMENT… [; …]` → (path, argv, failure ignored).

    The prefixes `:`, `+`, `!` and `!!` are refused: they need the `…Ex` properties, which systemd 252 forgets at the
    next daemon-reload.
    """
    found = []
    position = 0
    while position < len(text):
        command, position = _command(text, position)
        if command is not None:
            found.append(command)
    return tuple(found)


def _command(text: str, position: int) -> tuple[tuple[str, tuple[str, ...], bool] | None, int]:
    words: list[str] = []
    while True:
        rest = text[position:].lstrip(" \t")
        start = len(text) - len(rest)
        escaped = rest.startswith("\\;")
        if rest[escaped : escaped + 1] == ";" and rest[escaped + 1 : escaped + 2] in ("", " ", "\t"):
            position = start + 1 + escaped
            if not escaped:
                break
            words.append(";")
            continue
        word, position = next_word(text, start, c_escapes=True)
        if word is None:
            break
        words.append(word)
    return (_hook(words, text) if words else None), position


def _hook(words: list[str], text: str) -> tuple[str, tuple[str, ...], bool]:
    program = words[0]
    prefixes = program[: len(program) - len(program.lstrip("-@:+!|"))]
    # '+' and '!' say that what takes rights away from the unit is not for this command; no unit of nsunit has that.
    if set(prefixes) - {"-", "@", "+", "!"} or len(set(prefixes)) != len(prefixes):
        raise wrong(prefixes, "is not a prefix that nsunit takes", "use none, '-' to ignore failure, or '@'")
    path = program[len(prefixes) :]
    if not path.startswith("/") or "/../" in path + "/":
        raise wrong(path or text, "is not the absolute path of a program", "these commands run on the host")
    argv = words[1:] if "@" in prefixes else [path, *words[1:]]
    if not argv:
        raise wrong(text, "gives the program no name", "after '@' write the path and then its argv[0]")
    path, argv = _lasting(path, argv, text)
    return path, tuple(argv), "-" in prefixes


def _lasting(path: str, argv: list[str], text: str) -> tuple[str, list[str]]:
    """The same command, as systemd runs it also after a daemon-reload.

    It writes a transient unit's commands to a file, and reads them there: `$` and `;` then stand for themselves, with a
    backslash more on systemd 252 (findings/transient-unit-reloaded.sh).  So a shell puts in what they stand for, of a
    script that has neither: systemd's `$NAME` is any number of words, its `${NAME}` is a part of one.
    """
    if not any(set(word) & set("$;") for word in argv):
        return path, argv
    if argv[0] != path:
        raise wrong(text, "has '@' and one of '$' and ';'", "leave '@' and the name after the path out")
    return "/bin/sh", ["/bin/sh", "-fc", " ".join(("exec", *filter(None, map(_shell_word, argv))))]


def _shell_word(word: str) -> str:
    if word[0:1] == "$" and word[1:2] not in ("{", "$"):
        return f"`printenv {word[1:]}`" if _is_name(word[1:]) else ""
    found = ""
    rest = word
    while rest:
        plain, dollar, rest = rest.partition("$")
        found += _quoted(plain)
        name, closed, behind = rest[1:].partition("}")
        if rest[:1] == "{" and closed:
            found += f'"`printenv {name}`"' if _is_name(name) else ""
            rest = behind
        elif dollar:
            found += _CHARACTER.format(ord("$"))
            rest = rest[rest[:1] == "$" :]
    return found or "''"


def _is_name(text: str) -> bool:
    return text.isascii() and text.replace("_", "a").isalnum()


def _quoted(text: str) -> str:
    """*text* in single quotes of the shell, without `;`."""
    pieces = (piece.replace("'", "'\\''") for piece in text.split(";"))
    return _CHARACTER.format(ord(";")).join(f"'{piece}'" if piece else "" for piece in pieces)


def exit_statuses(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Exit statuses (0 to 255, or systemd's names) and signals → (statuses, signals)."""
    statuses: list[int] = []
    signals: list[int] = []
    for word in word_list(text):
        if word in EXIT_STATUSES:
            statuses.append(EXIT_STATUSES[word])
        elif is_digits(word) and int(word) <= 255:
            statuses.append(int(word))
        elif is_digits(word):
            raise wrong(word, "is not an exit status or signal", "use 0 to 255, TEMPFAIL, SIGTERM, …")
        else:
            signals.append(_signal(word))
    return tuple(statuses), tuple(signals)


def _signal(word: str) -> int:
    try:
        return signal_number(word)
    except ValueProblem:
        raise wrong(word, "is not an exit status or signal", "use 0 to 255, TEMPFAIL, SIGTERM, …") from None


def timeouts(text: str) -> Properties:
    """`TimeoutSec=`: both timeouts at once."""
    span = timeout(text)
    return Properties((Property("TimeoutStartUSec", "t", span), Property("TimeoutStopUSec", "t", span)))


def resource_limit(name: str) -> Callable[[str], Properties]:
    """Return the parser of `LimitNAME=`: `VALUE` or `SOFT:HARD` → the hard and the soft property."""

    def parse(text: str) -> Properties:
        soft, colon, hard = text.partition(":")
        low = _limit(name, soft)
        high = _limit(name, hard) if colon else low
        if low > high:
            raise wrong(text, "has a soft limit above the hard one", _LIMIT_HINT)
        return Properties((Property(f"Limit{name}", "t", high), Property(f"Limit{name}Soft", "t", low)))

    return parse


def _limit(name: str, text: str) -> int:
    if text == "infinity":
        return INFINITY
    if name in _SIZE_LIMITS:
        return size(text)
    if name == "CPU":
        return -(-usec(text) // 1_000_000)
    if name == "RTTIME":
        return usec(text, 1)
    if name == "NICE":
        return _nice_limit(text)
    if not is_digits(text) or int(text) >= INFINITY:
        raise wrong(text, "is not a limit", _LIMIT_HINT)
    return int(text)


def _nice_limit(text: str) -> int:
    """`+N` and `-N` are nice levels, a bare number is the kernel's 20 - level."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    highest = {"+": 19, "-": 20, "": 40}[sign]
    if not is_digits(digits) or int(digits) > highest:
        raise wrong(text, "is not a nice level", "use -20 to +19 with its sign, or 0 to 40")
    return {"+": 20 - int(digits), "-": 20 + int(digits), "": int(digits)}[sign]


def output(key: str) -> Callable[[str], object]:
    """Return the parser of `StandardOutput=` or `StandardError=` (*key*)."""
    plain = choice("inherit", "null", "journal", "journal+console", "kmsg", "kmsg+console")

    def parse(text: str) -> object:
        kind, colon, path = text.partition(":")
        suffix = {"file": "File", "append": "FileToAppend", "truncate": "FileToTruncate"}.get(kind)
        if colon and suffix:
            return Properties((Property(key + suffix, "s", plain_path(path)),))
        try:
            return plain(text)
        except ValueProblem:
            raise wrong(text, "is not a place for output", _OUTPUT_HINT) from None

    return parse


def extra_fields(text: str) -> tuple[bytes, ...]:
    """`NAME=VALUE…` for the journal → the bytes of each field."""
    found = []
    for word in split(text, c_escapes=True):
        name, equals, _ = word.partition("=")
        if (
            not equals
            or not name
            or len(name) > 64
            or not _FIELD_CHARACTERS.issuperset(name)
            or name[0] in "_0123456789"
        ):
            raise wrong(word, "is not a journal field", "use NAME=VALUE, the name in A-Z, 0-9 and '_'")
        found.append(word.encode())
    return tuple(found)


def filter_pattern(text: str) -> tuple[tuple[bool, str], ...]:
    """`[~]REGEX` → (whether matching messages are kept, pattern)."""
    pattern = string(text.removeprefix("~"))
    if not pattern:
        raise wrong(text, "has no pattern", "write [~]REGEX")
    return ((not text.startswith("~"), pattern),)


def log_namespace(text: str) -> str:
    """The name of a journal namespace."""
    if (
        not text.isascii()
        or not all(char.isalnum() or char in "_-.:" for char in text)
        or text[0] == "."
        or len(text) > 200
    ):
        raise wrong(text, "is not the name of a journal namespace", "use letters, digits, '-', '_' and '.'")
    return text


def affinity(text: str) -> object:
    """A CPU list, or `numa` for the CPUs of NUMAMask=."""
    return Properties((Property("CPUAffinityFromNUMA", "b", True),)) if text == "numa" else cpu_set(text)


def numa_mask(text: str) -> bytes:
    """A list of NUMA nodes."""
    if text == "all":
        raise wrong(text, "depends on the machine", "name the nodes, e.g. 0-3")
    return cpu_set(text)


def is_hexadecimal(word: str) -> bool:
    """Whether *word* is a number of 64 bits at most, with 0x in front or not."""
    digits = word.removeprefix("0x").removeprefix("0X")
    return 0 < len(digits) <= 16 and all(char in "0123456789abcdefABCDEF" for char in digits)


def core_filter(text: str) -> int:
    """Parts of a core dump by name, `default`, `all`, or a hexadecimal mask."""
    mask = 0
    for word in word_list(text):
        if word in CORE_PARTS:
            mask |= 1 << CORE_PARTS.index(word)
        elif word == "default":
            mask |= _CORE_DEFAULT
        elif word == "all":
            mask = UINT32_MAX
        elif is_hexadecimal(word):
            mask |= int(word, 16)
        else:
            raise wrong(word, "is not a part of a core dump", f"use {' '.join(CORE_PARTS)}, default, all")
    return mask
