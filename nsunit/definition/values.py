"""Parsers for the plain kinds of value: text → what goes over D-Bus.  Each raises ValueProblem.

Syntax and results are those of systemd's own parsers (parse-util.c, time-util.c, percent-util.c); numbers are plain
ASCII decimal digits only.
"""

from __future__ import annotations

from nsunit.definition.syntax import has_control
from nsunit.definition.words import ValueProblem, split, wrong
from nsunit.names import is_valid_name
from nsunit.record import Record
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.definition.host import Host
    from nsunit.units import Property

    Parser = Callable[[str], object]

UINT32_MAX = (1 << 32) - 1
PERMYRIAD = 10_000

_DIGITS = frozenset("0123456789")
_TRUE = ("1", "yes", "y", "true", "t", "on")
_FALSE = ("0", "no", "n", "false", "f", "off")

_SECOND = 1_000_000
_TIME_UNITS = {
    "seconds": _SECOND,
    "second": _SECOND,
    "sec": _SECOND,
    "s": _SECOND,
    "minutes": 60 * _SECOND,
    "minute": 60 * _SECOND,
    "min": 60 * _SECOND,
    "m": 60 * _SECOND,
    "months": 2_629_800 * _SECOND,
    "month": 2_629_800 * _SECOND,
    "M": 2_629_800 * _SECOND,
    "msec": 1000,
    "ms": 1000,
    "hours": 3600 * _SECOND,
    "hour": 3600 * _SECOND,
    "hr": 3600 * _SECOND,
    "h": 3600 * _SECOND,
    "days": 86_400 * _SECOND,
    "day": 86_400 * _SECOND,
    "d": 86_400 * _SECOND,
    "weeks": 604_800 * _SECOND,
    "week": 604_800 * _SECOND,
    "w": 604_800 * _SECOND,
    "years": 31_557_600 * _SECOND,
    "year": 31_557_600 * _SECOND,
    "y": 31_557_600 * _SECOND,
    "usec": 1,
    "us": 1,
    "μs": 1,
    "µs": 1,
}

SIZE_HINT = "use bytes or K, M, G, T, e.g. 512M"
TIME_HINT = "use seconds or a unit, e.g. 90, 5min, 1h 30s, or infinity"
_LONGEST = 256  # characters of a size or a time: int() refuses some thousands of digits
PERCENT_HINT = "e.g. 30%"


class Properties(tuple["Property", ...]):
    """What a parser returns that sets other or more properties than the one named in the table."""

    __slots__ = ()


class Alone(str):
    """What a parser returns of a key that adds up if nothing can stand beside it."""

    __slots__ = ()


class OfHost(Record):
    """What a parser returns that takes a look at the host: the loader asks for what it comes to."""

    def resolve(self, host: Host) -> object:
        """The value on *host*.

        Raises:
            ValueProblem: the host has nothing of the kind.
        """
        raise NotImplementedError


def is_digits(text: str) -> bool:
    """Tell whether *text* is one or more of 0-9, and not 1,000 of them."""
    return 0 < len(text) <= 20 and _DIGITS.issuperset(text)


def string(text: str) -> str:
    """Any text without control characters that a unit file can hold in one line."""
    if has_control(text):
        raise wrong(text, "contains a control character", "no value may contain one")
    if text.endswith("\\"):
        raise wrong(text, "ends with a backslash", "it would swallow the next line of the unit")
    return text


def boolean(text: str) -> bool:
    """`yes`/`no` and their equals, in any case."""
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise wrong(text, "is neither yes nor no", "write yes or no")


def number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser for a whole number from *low* to *high*."""

    def parse(text: str) -> int:
        digits = text[1:] if low < 0 and text[:1] in ("-", "+") else text
        if not is_digits(digits) or not low <= int(text) <= high:
            raise wrong(text, "is not a number" if not is_digits(digits) else "is out of range", f"use {low} to {high}")
        return int(text)

    return parse


uint32 = number(0, UINT32_MAX)


def choice(*options: str) -> Callable[[str], str]:
    """Return a parser for one of *options*."""

    def parse(text: str) -> str:
        if text in options:
            return text
        raise wrong(text, "is not one of its values", f"use {', '.join(options)}")

    parse.options = options  # type: ignore[attr-defined]  # for completion
    return parse


def index(options: tuple[str, ...]) -> Callable[[str], int]:
    """Return a parser that gives the position of the word in *options*, or takes that number itself."""

    def parse(text: str) -> int:
        if text in options and text:
            return options.index(text)
        if is_digits(text) and int(text) < len(options) and options[int(text)]:
            return int(text)
        raise wrong(text, "is not one of its values", f"use {', '.join(filter(None, options))}")

    parse.options = options  # type: ignore[attr-defined]  # for completion
    return parse


def octal_mode(text: str) -> int:
    """An access mode in octal digits, up to 7777."""
    if not is_digits(text) or len(text) > 5 or "8" in text or "9" in text or int(text, 8) > 0o7777:
        raise wrong(text, "is not an access mode", "use octal digits, e.g. 0022")
    return int(text, 8)


def size(text: str, base: int = 1024) -> int:
    """A number of bytes: `512M`, `1.5G`, `1G 512M`; suffixes are powers of *base* (1000 for transfer rates)."""
    factors: dict[str, int] = {suffix: base**power for power, suffix in enumerate("BKMGTPE")}
    total = 0
    last = ""
    rest = text.strip()
    if len(rest) > _LONGEST:
        raise wrong(text, "is not a size", SIZE_HINT)
    while True:
        whole, rest = _take_digits(rest)
        fraction = ""
        if rest[:1] == ".":
            fraction, rest = _take_digits(rest[1:])
        rest = rest.lstrip()
        suffix = rest[:1] if rest[:1] in factors else ""
        factor = factors.get(suffix, 1)
        if not whole or (last and factor >= factors[last]):
            raise wrong(text, "is not a size", SIZE_HINT)
        total += int(whole) * factor + _part(factor, fraction)
        rest = rest[len(suffix) :].lstrip()
        if not rest:
            break
        last = suffix or "B"
        if last == "B":
            raise wrong(text, "is not a size", SIZE_HINT)
    if total >= INFINITY:
        raise wrong(text, "is too large a size", SIZE_HINT)
    return total


def percent(text: str) -> int | None:
    """`30%`, `12.5%`, `125‰`, `1250‱` in units of 0.01%, or None if *text* does not end as a percentage does."""
    for suffix, places in (("%", 2), ("‰", 1), ("‱", 0)):
        if text.endswith(suffix):
            whole, rest = _take_digits(text[: -len(suffix)])
            fraction = rest[1:] if rest[:1] == "." else ""
            if not whole or len(whole) > 9 or (rest and (not is_digits(fraction) or len(fraction) > places)):
                raise wrong(text, "is not a percentage", PERCENT_HINT)
            return int(whole + fraction.ljust(places, "0"))
    return None


def scale(permyriad: int) -> int:
    """Return a share of 10,000 as the share of 2^32-1 that D-Bus takes (UINT32_SCALE_FROM_PERMYRIAD)."""
    return (permyriad * UINT32_MAX + PERMYRIAD // 2) // PERMYRIAD


def bounded_percent(text: str) -> int | None:
    """Like `percent`, but refuses more than 100%."""
    found = percent(text)
    if found is not None and found > PERMYRIAD:
        raise wrong(text, "is more than 100%")
    return found


def usec(text: str, unit: int = _SECOND) -> int:
    """A time span in microseconds: `90`, `5min`, `1h 30s`, `1.5s`, `infinity`; a bare number counts *unit*."""
    if text == "infinity":
        return INFINITY
    total = 0
    rest = text.strip()
    if not rest or len(rest) > _LONGEST:
        raise wrong(text, "is not a time span", TIME_HINT)
    while rest:
        whole, rest = _take_digits(rest)
        fraction = None
        if rest[:1] == ".":
            fraction, rest = _take_digits(rest[1:])
        if fraction == "" or not (whole or fraction):
            raise wrong(text, "is not a time span", TIME_HINT)
        blank = rest[:1] in (" ", "\t")
        rest = rest.lstrip()
        name = _unit_name(rest)
        if rest and not name and not blank:
            raise wrong(text, "is not a time span", TIME_HINT)
        factor = _TIME_UNITS[name] if name else unit
        total += int(whole or "0") * factor + _part(factor, fraction or "")
        rest = rest[len(name) :].lstrip()
    if total >= INFINITY:
        raise wrong(text, "is too long a time", TIME_HINT)
    return total


def timeout(text: str) -> int:
    """A time span where 0 means none, as for systemd's timeouts."""
    return usec(text) or INFINITY


def nsec(text: str) -> int:
    """A time span in nanoseconds; a bare number counts nanoseconds."""
    if text == "infinity":
        return INFINITY
    bare = text.removesuffix("ns").removesuffix("nsec").rstrip()
    found = int(bare) if is_digits(bare) else usec(text) * 1000
    if found >= INFINITY:
        raise wrong(text, "is too long a time", TIME_HINT)
    return found


def word_list(text: str) -> tuple[str, ...]:
    """Words separated by blanks, quotes allowed."""
    return tuple(split(text))


def absolute_path(text: str) -> str:
    """An absolute path without `..`, returned without doubled and trailing slashes and without `.`."""
    string(text)
    if not text.startswith("/"):
        raise wrong(text, "is not an absolute path", "start it with /")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise wrong(text, "contains '..'", "write the path it leads to")
    if any(len(part.encode()) > 255 for part in parts) or len(text.encode()) > 4095:
        raise wrong(text, "is too long for a path")
    return "/" + "/".join(parts)


def plain_path(text: str) -> str:
    """An absolute path that systemd can write into a unit unquoted: no blanks, quotes or backslashes."""
    path = absolute_path(text)
    if any(char in " \"'\\" for char in path):
        raise wrong(text, "has blanks, quotes or backslashes", "systemd cannot take such a path here")
    return path


def container_name(text: str, hint: str) -> str:
    """The name of another container; *hint* says how the key wants it."""
    if not is_valid_name(text):
        raise wrong(text, "is not the name of a container", hint)
    return text


def no_value(text: str) -> str:
    """Refused keys have no value; the loader never asks for it."""
    raise ValueProblem(f"'{text}' cannot be given")


def _part(factor: int, fraction: str) -> int:
    """Return 0.FRACTION times *factor*, rounded down."""
    return factor * int(fraction or "0") // int("1" + "0" * len(fraction))


def _take_digits(text: str) -> tuple[str, str]:
    count = 0
    while count < len(text) and text[count] in _DIGITS:
        count += 1
    return text[:count], text[count:]


def _unit_name(text: str) -> str:
    """Return the longest unit that *text* starts with and that is not followed by another letter."""
    count = 0
    while count < len(text) and text[count].isalpha():
        count += 1
    name = text[:count]
    return name if name in _TIME_UNITS else ""
