"""How values of others are written in definitions: quotes, percent signs, names, times, sizes."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.names import NAME_MAX, is_valid_name

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@+%^[]{}()*~!?#&$|<>;")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")
_CONTROL = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SIZES = {"b": "", "k": "K", "m": "M", "g": "G", "t": "T", "kb": "K", "mb": "M", "gb": "G", "tb": "T"}


def literal(text: str) -> str:
    """*text*, in which a percent sign is one, where definitions look for specifiers."""
    return text.replace("%", "%%")


def word(text: str, *, specifiers: bool = False) -> str:
    """*text* as one word of a list or a command; its percent signs begin *specifiers*, or are such.

    Quotes stand around it where they must.
    """
    text = text if specifiers else literal(text)
    if text and _SAFE.issuperset(text) and text not in (";",):
        return text
    quoted = escaped(text).replace('"', '\\"')
    return f'"{quoted}"'


def word_of_parts(text: str, *, specifiers: bool = False) -> str:
    """*text*, whose parts have been through `path`, as one word of a list; backslashes stay those of the parts."""
    text = text if specifiers else literal(text)
    if text and _SAFE.issuperset(text.replace("\\", "")):
        return text
    return '"' + text.replace('"', '"\'"\'"') + '"'


def escaped(text: str) -> str:
    """*text* with its backslashes and control characters as C escapes."""
    return "".join(
        _CONTROL.get(char) or (char if char >= " " and char != "\x7f" else f"\\x{ord(char):02x}")
        for char in text.replace("\\", "\\\\")
    )


def command(words: tuple[str, ...] | list[str], *, specifiers: bool = False) -> str:
    """A command line of Exec= or Health=."""
    return " ".join(word(item, specifiers=specifiers) for item in words)


def path(text: str) -> str:
    """A path as a part of a value whose parts have colons between them."""
    return text.replace("\\", "\\\\").replace(":", "\\:")


def name_for(text: str) -> str:
    """The container's name that is nearest to *text*; *text* itself where it is one.

    Raises:
        NotCarried: nothing of it can be in one.
    """
    if is_valid_name(text):
        return text
    prefix, at, instance = text.partition("@")
    name = _fitting(prefix) + at + _fitting(instance)
    if not is_valid_name(name.removesuffix("@")):
        raise NotCarried(f"'{text}' cannot be made the name of a container", "rename the file")
    return name


def _fitting(text: str) -> str:
    kept = "".join(char if char in _NAME else "-" for char in text.lower()).strip("-_.")
    return kept[:NAME_MAX]


def of_tmpfs(option: str) -> str:
    """An option of tmpfs(5), whose sizes and counts have small letters as well."""
    return option.upper().replace("SIZE", "size") if option.startswith("size=") else option


def size(text: str) -> str:
    """A size as podman and docker have it, `512m`, `1.5GB`, in systemd's letters.

    Raises:
        NotCarried: it is none.
    """
    lower = text.strip().lower().replace("ib", "b")
    digits = lower.rstrip("bkmgtpe ")
    unit = lower[len(digits) :].strip()
    if unit not in ("", *_SIZES) or not _is_number(digits):
        raise NotCarried(f"'{text}' is not a size", "e.g. 512M")
    if "." not in digits:
        return digits + _SIZES.get(unit, "")
    factor = 1024 ** " KMGT".index(_SIZES.get(unit) or " ")
    return str(int(float(digits) * factor))


def in_bytes(text: str) -> int:
    """The number of bytes of a size.

    Raises:
        NotCarried: it is none.
    """
    written = size(text)
    unit = written[-1]
    return int(written[:-1]) * 1024 ** " KMGT".index(unit) if unit in "KMGT" else int(written)


def seconds(text: str) -> str:
    """A time as Go writes it, `1m30s`, or a number of seconds, as systemd does: `1min 30s`.

    Raises:
        NotCarried: it is none.
    """
    if text.isdecimal():
        return f"{int(text)}s"
    found, number = [], ""
    rest = text.replace("µ", "u")
    while rest:
        if rest[0].isdecimal() or rest[0] == ".":
            number += rest[0]
            rest = rest[1:]
            continue
        unit = next((unit for unit in ("ns", "us", "ms", "s", "m", "h") if rest.startswith(unit)), "")
        if not unit or not _is_number(number):
            raise NotCarried(f"'{text}' is not a time", "e.g. 30s")
        found.append(number + {"m": "min"}.get(unit, unit))
        number, rest = "", rest[len(unit) :]
    if number or not found:
        raise NotCarried(f"'{text}' is not a time", "e.g. 30s")
    kept = [item for item in found if float(item.rstrip("abcdefghijklmnopqrstuvwxyz")) != 0]
    return " ".join(kept) or "0"


def _is_number(text: str) -> bool:
    whole, dot, part = text.partition(".")
    return (whole + part).isdecimal() and (whole + part).isascii() and (bool(part) or not dot)


def truth(text: str) -> bool:
    """A boolean of systemd's or Go's.

    Raises:
        NotCarried: it is none.
    """
    if text.lower() in ("1", "yes", "y", "true", "t", "on"):
        return True
    if text.lower() in ("0", "no", "n", "false", "f", "off"):
        return False
    raise NotCarried(f"'{text}' is neither yes nor no", "write yes or no")
