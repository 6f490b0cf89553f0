"""Signal names and numbers (signal(7); x86 and ARM numbers), without the cost of `import signal`."""

from __future__ import annotations

from nsunit.definition.values import is_digits
from nsunit.definition.words import wrong

SIGRTMIN = 34
SIGRTMAX = 64

NUMBERS = {
    name: number
    for number, name in enumerate(
        "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU"
        " URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(),
        1,
    )
}

_HINT = "use a name or number, e.g. SIGTERM, SIGRTMIN+3"


def signal_number(text: str) -> int:
    """Return the number of a signal: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`, `RTMAX-1`."""
    number = _number(text)
    if number is None or not 1 <= number <= SIGRTMAX:
        raise wrong(text, "is not a signal", _HINT)
    return number


def signal_name(number: int) -> str:
    """Return the name of signal *number*: `SIGTERM`, `SIGRTMIN+3`."""
    if number < SIGRTMIN:
        return next((f"SIG{name}" for name, known in NUMBERS.items() if known == number), str(number))
    return "SIGRTMIN" if number == SIGRTMIN else f"SIGRTMIN+{number - SIGRTMIN}"


def _number(text: str) -> int | None:
    if is_digits(text):
        return int(text)
    name = text.removeprefix("SIG")
    if name in NUMBERS:
        return NUMBERS[name]
    for prefix, base, sign in (("RTMIN", SIGRTMIN, "+"), ("RTMAX", SIGRTMAX, "-")):
        if name == prefix:
            return base
        offset = name.removeprefix(prefix + sign)
        if offset != name and is_digits(offset) and int(offset) <= SIGRTMAX - SIGRTMIN:
            return base + int(sign + offset)
    return None
