"""Between Python's values and sd-bus's: the flat list pystemd appends to a message, and what comes back of a reply.

pystemd appends a message as (type code, value) pairs: a basic type with its value, a container's opening with its
signature, (-1, None) for its end.  It ignores sd-bus's return codes while it does so and cuts strings at a NUL, so
everything is checked here first.  Only this file imports pystemd, and so connections are opened here.
"""

from __future__ import annotations

import errno
import posix
import pwd
import sys

from nsunit.bus.protocol import ACCESS_DENIED, DISCONNECTED, FILE_NOT_FOUND, NO_REPLY, TIMEOUT, UNREACHABLE, bus_error
from nsunit.bytecode import TOP
from nsunit.errors import BusError, where_users_systemd_is

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.units import Property

    Flat = list[tuple[int, Any]]

_ARRAY, _STRUCT, _VARIANT = ord("a"), ord("r"), ord("v")
_CLOSE = (-1, None)
_RANGES = {
    "y": (0, 0xFF),
    "n": (-0x8000, 0x7FFF),
    "q": (0, 0xFFFF),
    "i": (-0x8000_0000, 0x7FFF_FFFF),
    "u": (0, 0xFFFF_FFFF),
    "x": (-0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF),
    "t": (0, 0xFFFF_FFFF_FFFF_FFFF),
    "h": (0, 0x7FFF_FFFF),
}
_TEXT = "sog"
_PRIVATE_SOCKET = b"/run/systemd/private"


def split_signature(signature: str) -> list[str]:
    """Split `sa(ss)v` into its complete types, `["s", "a(ss)", "v"]`.

    Raises:
        ValueError: it is not a D-Bus signature of the types that are used here (dictionaries are not).
    """
    types = []
    start = 0
    while start < len(signature):
        end = _type_end(signature, start)
        types.append(signature[start:end])
        start = end
    return types


def _type_end(signature: str, start: int) -> int:
    first = signature[start : start + 1]
    if first == "a":
        return _type_end(signature, start + 1)
    if first == "(":
        end = start + 1
        while signature[end : end + 1] != ")":
            end = _type_end(signature, end)
        return end + 1
    if first and (first in _RANGES or first in _TEXT or first in "bdv"):
        return start + 1
    raise ValueError(f"'{signature}' is not a signature")


def encode(signature: str, value: Any) -> Flat:
    """Encode one *value* of the single complete type *signature*; a variant's value is (signature, value).

    Raises:
        ValueError: the value does not fit the signature.
    """
    kind = signature[0]
    if kind in _TEXT:
        return [(ord(kind), _text(value))]
    if kind == "b":
        return [(ord(kind), _checked(isinstance(value, bool), value, signature))]
    if kind in _RANGES:
        low, high = _RANGES[kind]
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return [(ord(kind), _checked(fits, value, signature))]
    if kind == "d":
        return [(ord(kind), float(_checked(isinstance(value, (int, float)), value, signature)))]
    if kind == "v":
        inner, content = value
        return [(_VARIANT, inner.encode()), *encode(inner, content), _CLOSE]
    if kind == "a":
        return _encode_array(signature[1:], value)
    return _encode_struct(signature, value)


def _encode_array(element: str, values: Any) -> Flat:
    _checked(isinstance(values, (tuple, list, bytes)), values, "a" + element)
    flat: Flat = [(_ARRAY, element.encode())]
    for value in values:
        flat += encode(element, value)
    flat.append(_CLOSE)
    return flat


def _encode_struct(signature: str, values: Any) -> Flat:
    inner = signature[1:-1]
    types = split_signature(inner)
    _checked(isinstance(values, (tuple, list)) and len(values) == len(types), values, signature)
    flat: Flat = [(_STRUCT, inner.encode())]
    for kind, value in zip(types, values, strict=True):
        flat += encode(kind, value)
    flat.append(_CLOSE)
    return flat


def encode_arguments(signature: str, *values: Any) -> Flat:
    """Encode the arguments of a method call."""
    flat: Flat = []
    for kind, value in zip(split_signature(signature), values, strict=True):
        flat += encode(kind, value)
    return flat


def encode_properties(properties: tuple[Property, ...] | list[Property]) -> Flat:
    """Encode *properties* as the `a(sv)` StartTransientUnit and SetUnitProperties take.

    Raises:
        ValueError: a value does not fit its signature; the message names the property.
    """
    flat: Flat = [(_ARRAY, b"(sv)")]
    for item in properties:
        flat.append((_STRUCT, b"sv"))
        flat.append((ord("s"), item.name.encode()))
        try:
            flat += encode("v", (item.signature, item.value))
        except ValueError as error:
            raise ValueError(f"property '{item.name}': {error}") from None
        flat.append(_CLOSE)
    flat.append(_CLOSE)
    return flat


def _checked(fits: bool, value: Any, signature: str) -> Any:
    if not fits:
        raise ValueError(f"{value!r} does not fit the D-Bus type '{signature}'")
    return value


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    if "\0" in value:
        raise ValueError(f"{value!r} has a NUL byte in it")
    try:
        return value.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8, as os.fsdecode() gives it
        raise ValueError(f"{value!r} is not UTF-8, which D-Bus asks for") from None


def decode(body: Any) -> Any:
    """Turn the bytes in a reply into str, at any depth; a struct stays a tuple, an array a list, `a{sv}` a dict."""
    if isinstance(body, bytes):
        return body.decode()
    if isinstance(body, list):
        return [decode(item) for item in body]
    if isinstance(body, tuple):
        return tuple(decode(item) for item in body)
    if isinstance(body, dict):
        return {decode(key): decode(value) for key, value in body.items()}
    return body


def unit_path(unit: str) -> str:
    """Object path of *unit*, escaped as sd_bus_path_encode(3) does it: all but letters and digits as `_xx`."""
    label = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 0x80 and (position or not chr(byte).isdigit()) else f"_{byte:02x}"
        for position, byte in enumerate(unit.encode())
    )
    return "/org/freedesktop/systemd1/unit/" + (label or "_")


_LOST = (errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN)


class SdBusError(Exception):
    """What pystemd raises here: the negative errno, and the D-Bus error's name and message where there are any."""

    def __init__(self, number: int, name: bytes | str | None = None, message: bytes | str = "") -> None:
        super().__init__(number, name, message)
        self.number = abs(number)
        self.name = name.decode() if isinstance(name, bytes) else name or ""
        self.message = message.decode() if isinstance(message, bytes) else message


def to_bytes(text: object) -> object:
    """*text* as sd-bus takes it."""
    return text.encode() if isinstance(text, str) else text


def sd_bus(function: Callable[..., Any], *arguments: object) -> Any:
    """Call one of pystemd's functions, with its errors turned into BusError."""
    try:
        return function(*arguments)
    except SdBusError as error:
        raise _to_bus_error(error) from None


def _to_bus_error(error: SdBusError) -> BusError:
    number, name = error.number, error.name
    # The message bus says NoReply as well when systemd left it before it answered.
    if number in _LOST or (name == NO_REPLY and "disconnected" in (error.message or "")):
        return _without_account() or bus_error(DISCONNECTED, "the connection to systemd was lost")
    if name == NO_REPLY or number == errno.ETIMEDOUT:
        return bus_error(TIMEOUT, "systemd did not answer in time")
    if not name:  # no error of D-Bus's but of the connection
        known = {errno.EACCES: ACCESS_DENIED, errno.EPERM: ACCESS_DENIED, errno.ENOENT: FILE_NOT_FOUND}
        name = known.get(number) or "System.Error." + errno.errorcode.get(number, str(number))
    return bus_error(name, error.message or posix.strerror(number))


def _without_account() -> BusError | None:
    """Why the message bus has turned the caller away: it serves nobody without an account.  None if there is one."""
    uid = posix.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        hint = "'getent passwd' lists those that are; the message bus serves no other"
        return BusError(ACCESS_DENIED, f"there is no user {uid} on this host", hint=hint)
    return None


_library: Any = None


def load_dbuslib() -> Any:
    """Import the compiled `pystemd.dbuslib` without the rest of the package.

    `import pystemd` runs its __init__.py, which brings in lxml and inspect: 60 ms and 70 modules on a machine where
    a bare interpreter takes 10 ms.  What is needed is one extension module, 2 ms.  So a bare package object with the
    right __path__ stands in while it loads, and three small stand-ins replace what dbuslib itself imports:
    pystemd.utils (pathlib, shlex, typing; one function), pystemd.dbusexc (30 classes, all of which but one forget
    the error's name) and pprint (dataclasses; only for the text of a TypeError).
    """
    global _library
    if _library is not None:
        return _library
    path = _path_of_pystemd()
    if path is None:
        hint = "install python3-pystemd, or 'pip install pystemd'"
        raise BusError(UNREACHABLE, "the Python package 'pystemd' is not installed", hint=hint)
    stand_ins = {
        "pystemd": _module("pystemd", __path__=path),
        "pystemd.utils": _module("pystemd.utils", x2char_star=to_bytes),
        "pystemd.dbusexc": _module("pystemd.dbusexc", DBusError=SdBusError),
        "pprint": _module("pprint", pformat=repr),
        # Cython's start-up code registers generators and coroutines with these, if they are there.
        "collections": _module("collections", __path__=[]),
        "collections.abc": _module("collections.abc"),
        "backports_abc": _module("backports_abc"),
    }
    before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    sys.modules.update(stand_ins)
    try:
        import pystemd.dbuslib as dbuslib  # among the stand-ins
    finally:
        for name in stand_ins:
            del sys.modules[name]
        sys.modules.update(before)
    _library = dbuslib
    return dbuslib


def _path_of_pystemd() -> list[str] | None:
    """The directories of the package.  As a rule it is beside this one, so that no names there have to be read."""
    beside = f"{TOP}/pystemd"
    if posix.access(f"{beside}/__init__.py", posix.R_OK):
        return [beside]
    specs = (finder.find_spec("pystemd", None) for finder in sys.meta_path)
    return next((found.submodule_search_locations for found in specs if found is not None), None)


def _module(name: str, **contents: object) -> Any:
    module = type(sys)(name)
    module.__dict__.update(contents)
    return module


def open_bus(user: bool) -> tuple[Any, bool]:
    """Open a connection; returns it and whether it is the private socket, where there is no bus in between."""
    dbuslib = load_dbuslib()
    private = _PRIVATE_SOCKET
    if user:
        runtime = posix.environ.get(b"XDG_RUNTIME_DIR", b"")
        own = runtime if runtime.startswith(b"/") else b"/run/user/%d" % posix.geteuid()
        private = own + b"/systemd/private"
    if user or posix.geteuid() == 0:
        bus = dbuslib.DBusAddress(b"unix:path=" + private, True)
        try:
            sd_bus(bus.open)
            return bus, True
        except BusError:
            bus.close()
    bus = dbuslib.DBus(user)
    try:
        sd_bus(bus.open)
    except BusError as error:
        if user:
            raise _no_systemd_of_user(posix.geteuid(), private.decode("utf-8", "replace")) from None
        reason = "there is no socket" if error.name == FILE_NOT_FOUND else error.message
        raise bus_error(UNREACHABLE, f"cannot reach systemd over the system bus: {reason}") from None
    return bus, False


def _no_systemd_of_user(uid: int, socket: str) -> BusError:
    """The error that the systemd of user *uid* is not at *socket*: it does not run, or is looked for elsewhere."""
    message = f"cannot reach the systemd of user {uid}: nobody listens at '{socket}'"
    return BusError(UNREACHABLE, message, hint=where_users_systemd_is(uid, socket))
