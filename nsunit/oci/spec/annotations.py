"""Annotations `org.systemd.property.NAME`, as runc and crun have them: GVariant text to a property of the scope."""

from __future__ import annotations

from nsunit.oci.errors import SpecError
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.spec.fields import Json

_PREFIX = "org.systemd.property."
_TYPES = {"boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "int64": "x"}
_TYPES |= {"uint64": "t", "string": "s", "objectpath": "o"}
_USEC = 1_000_000


def properties(annotations: Json) -> list[Property]:
    """The properties that *annotations* ask for.

    Raises:
        SpecError: a name or a value is none.
    """
    found = []
    for key, text in annotations.items():
        name = key.removeprefix(_PREFIX)
        if name == key:
            continue
        if not name.isascii() or not name.isalnum():
            raise SpecError(f"Annotation {key}: '{name}' is no name of a property")
        found.append(_property(key, name, text))
    return found


def _property(key: str, name: str, text: object) -> Property:
    try:
        signature, value = _value(str(text).strip())
    except ValueError:
        raise SpecError(f"Annotation {key}={text}: value parse error") from None
    if name.endswith("Sec") and not name.endswith("USec"):
        if signature not in "nqiuxt":
            raise SpecError(f"Annotation {key}={text}: it must be a number of seconds")
        return Property(name.removesuffix("Sec") + "USec", "t", int(str(value)) * _USEC)
    return Property(name, signature, value)


def _value(text: str) -> tuple[str, object]:
    if text in ("true", "false"):
        return "b", text == "true"
    if text[:1] in ("'", '"'):
        return "s", _string(text)
    if text.startswith("["):
        return _array(text)
    word, _, rest = text.partition(" ")
    if word in _TYPES:
        signature = _TYPES[word]
        inner, value = _value(rest.strip())
        if (signature in "so") != (inner == "s") or (signature == "b") != (inner == "b"):
            raise ValueError(text)
        return signature, value
    if word.startswith("@") and rest.strip() == "[]":
        return word[1:], ()
    return "i", int(text, 0)


def _string(text: str) -> str:
    if len(text) < 2 or text[-1] != text[0] or text[0] in text[1:-1].replace("\\" + text[0], ""):
        raise ValueError(text)
    return text[1:-1].replace("\\" + text[0], text[0]).replace("\\\\", "\\")


def _array(text: str) -> tuple[str, object]:
    if not text.endswith("]"):
        raise ValueError(text)
    parts = [_value(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    kinds = {signature for signature, _ in parts}
    if len(kinds) != 1:
        raise ValueError(text)
    return "a" + kinds.pop(), tuple(value for _, value in parts)
