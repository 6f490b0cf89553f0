"""Specifiers: `%i` and its like (systemd.unit(5), "Specifiers").

`%n` and `%N` name the service unit; `%p` and `%i` are the container's own name and instance.  An expansion that a word
splitter would take apart is refused, so that expanding before splitting is the same as after.
"""

from __future__ import annotations

from nsunit.definition.words import ValueProblem
from nsunit.names import printable, service_name, split_instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.host import Host

HELP = {
    "n": "name of the service unit, with .service",
    "N": "name of the service unit, without .service",
    "p": "name of the container, without the instance",
    "i": "instance of the container (empty without)",
    "H": "host name",
    "m": "machine ID",
    "h": "home directory of the user that runs nsunit",
    "u": "name of the user that runs nsunit",
    "U": "number of the user that runs nsunit",
    "t": "runtime directory (/run)",
    "S": "state directory (/var/lib)",
    "C": "cache directory (/var/cache)",
    "%": "a percent sign",
}


def table(name: str, host: Host) -> dict[str, str]:
    """Return what each specifier stands for in the definition of container *name*."""
    unit = service_name(name)
    prefix, instance = split_instance(name)
    return {
        "n": unit,
        "N": unit.removesuffix(".service"),
        "p": prefix,
        "i": instance,
        "H": host.hostname,
        "m": host.machine_id,
        "h": host.home,
        "u": host.user,
        "U": str(host.uid),
        "t": host.runtime_dir,
        "S": host.state_dir,
        "C": host.cache_dir,
        "%": "%",
    }


def expand(text: str, values: dict[str, str]) -> str:
    """Return *text* with its specifiers replaced.

    As in systemd a percent sign before something that could never be a specifier stays.

    Raises:
        ValueProblem: a specifier is unknown, or stands for something with blanks or quotes.
    """
    if "%" not in text:
        return text
    out = ""
    position = 0
    while True:
        at = text.find("%", position)
        if at < 0:
            return out + text[position:]
        letter = text[at + 1 : at + 2]
        out += text[position:at]
        position = at + 2
        if letter in values and letter:
            out += _usable(letter, values[letter])
        elif letter.isascii() and letter.isalnum():
            known = " ".join(f"%{specifier}" for specifier in values)
            raise ValueProblem(f"'%{letter}' is not a specifier", f"known are {known}; a percent sign is %%")
        else:
            out += "%" + letter


def _usable(letter: str, value: str) -> str:
    if letter not in "i%" and not value:
        raise ValueProblem(f"'%{letter}' is empty here", "write the value itself")
    if not value.isprintable() or any(char in " \"'\\" for char in value):
        raise ValueProblem(
            f"'%{letter}' stands for '{printable(value)}', which has blanks, quotes or backslashes",
            "write the value itself, quoted",
        )
    return value
