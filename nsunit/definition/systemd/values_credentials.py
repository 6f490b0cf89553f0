"""Parsers for the credentials of systemd.exec(5): text → D-Bus values."""

from __future__ import annotations

import binascii

from nsunit.definition.values import Properties, absolute_path
from nsunit.definition.words import ValueProblem, unescaped, wrong
from nsunit.units import Property

NAME_MAX = 255
_NAME_HINT = "use up to 255 printable ASCII characters without ':', '/' and '%'"
_OTHERS = frozenset(":/%")


def credential_name(text: str) -> str:
    """The name of a credential, which is that of its file as well."""
    printable = text.isascii() and text.isprintable()
    if not 0 < len(text) <= NAME_MAX or not printable or _OTHERS & set(text) or text in (".", ".."):
        raise wrong(text, "is not the name of a credential", _NAME_HINT)
    return text


def loaded(text: str) -> tuple[tuple[str, str], ...]:
    """`ID[:PATH]`, where PATH may be the name of a credential in systemd's stores → (id, path)."""
    name, _, path = text.partition(":")
    credential_name(name)
    return ((name, absolute_path(path) if path.startswith("/") else credential_name(path or name)),)


def literal(text: str) -> tuple[tuple[str, bytes], ...]:
    """`ID:VALUE`, with C escapes in VALUE → (id, bytes)."""
    name, value = _pair(text)
    return ((name, unescaped(value)),)


def encrypted(text: str) -> tuple[tuple[str, bytes], ...]:
    """`ID:BASE64`, what systemd-creds(1) prints → (id, bytes)."""
    name, value = _pair(text)
    try:
        content = binascii.a2b_base64("".join(value.split()).encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        content = b""
    if not content:
        # No word of the value, which may be the secret itself.
        raise wrong(name, "has a value that is not Base64", "use what 'systemd-creds encrypt -p' prints")
    return ((name, content),)


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueProblem("there is no value", "write ID:VALUE")
    return credential_name(name), value


def imported(text: str) -> object:
    """`GLOB[:PREFIX]`, a name that may end with `*` → what systemd 254 has, or 257 where PREFIX is its name inside."""
    glob, colon, rename = text.partition(":")
    credential_name(glob.removesuffix("*") or "*")
    if "*" in glob[:-1]:
        raise wrong(glob, "is not a name with '*' at its end", _NAME_HINT)
    if not colon:
        return (glob,)
    return Properties((Property("ImportCredentialEx", "a(ss)", ((glob, credential_name(rename)),)),))
