"""Names and places in the store, and what of an image a start reads.  Pure."""

from __future__ import annotations

from nsunit.record import Record
from nsunit.setup.operation import unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS = frozenset("0123456789abcdef")
DIGEST_LENGTH = 64
ID_MIN = 6  # of the digits of an id, so that few names are taken for one


class Image(Record):
    """What a start takes from an image; *layers* are chain ids, the topmost first.  See `config.py` for the rest."""

    id: str
    layers: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: str = ""
    group: str = ""
    working_directory: str = ""
    stop_signal: int = 0
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[tuple[int, str], ...] = ()  # with the protocol
    healthcheck: tuple[tuple[str, object], ...] = ()  # fields of nsunit.features.health.keys.Check


def dump(image: Image) -> bytes:
    """*image* as the file that `load` reads: a line a field, the values behind its name separated by NUL."""
    environment = tuple(f"{name}={value}" for name, value in image.environment)
    fields = {
        "layers": image.layers,
        "entrypoint": image.entrypoint,
        "cmd": image.cmd,
        "environment": environment,
        "volumes": image.volumes,
        "exposed": tuple(f"{number}/{protocol}" for number, protocol in image.exposed_ports),
        **{name: (str(getattr(image, name)),) for name in _SINGLE},
        **_dumped_healthcheck(image),
    }
    lines = ("\0".join((name, *values)).replace("\\", "\\\\").replace("\n", "\\n") for name, values in fields.items())
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def load(identity: str, content: bytes) -> Image:
    """Read what `dump` has written."""
    found: dict[str, tuple[str, ...]] = {}
    for line in content.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        name, *values = line.split("\0")
        found[name] = tuple(unescape(value) for value in values)
    environment = tuple((name, value) for name, _, value in (item.partition("=") for item in found["environment"]))
    exposed = (item.partition("/") for item in found.get("exposed", ()))
    single = {name: found[name][0] for name in _SINGLE}
    return Image(
        identity,
        found["layers"],
        found["entrypoint"],
        found["cmd"],
        environment,
        single["user"],
        single["group"],
        single["working_directory"],
        int(single["stop_signal"]),
        found.get("volumes", ()),
        tuple((int(number), protocol) for number, _, protocol in exposed),
        _loaded_healthcheck(found),
    )


def _dumped_healthcheck(image: Image) -> dict[str, tuple[str, ...]]:
    check = dict(image.healthcheck)
    if not check:
        return {}
    command = check["command"]
    assert isinstance(command, tuple)
    times = tuple(f"{name}={value}" for name, value in check.items() if name != "command")
    return {"health": command, "health_times": times}


def _loaded_healthcheck(found: dict[str, tuple[str, ...]]) -> tuple[tuple[str, object], ...]:
    if "health" not in found:  # it has none, or came in before this was looked at
        return ()
    times = (item.partition("=") for item in found["health_times"])
    return (("command", found["health"]), *((name, int(value)) for name, _, value in times))


_SINGLE = ("user", "group", "working_directory", "stop_signal")


def is_digest(text: str) -> bool:
    """Whether *text* is the hexadecimal part of a sha256 digest."""
    return len(text) == DIGEST_LENGTH and _DIGITS.issuperset(text)


# Names


def is_reference(text: str) -> bool:
    """Whether *text* can name an image: `[HOST[:PORT]/]PATH[:TAG][@sha256:…]` in the characters of a registry's."""
    rest, _, digest = text.partition("@")
    if digest and not (digest.startswith("sha256:") and is_digest(digest.removeprefix("sha256:"))):
        return False
    host, path, tag = split(rest)
    parts = path.split("/")
    return (
        len(text) <= _REFERENCE_MAX
        and (not host or _is_host(host))
        and all(_is_plain(part, _PATH) for part in parts)
        and (not tag or (_TAG.issuperset(tag) and tag[0] not in ".-" and len(tag) <= 128))
        and not rest.endswith((":", "/"))
        and (text == rest or bool(digest))
    )


_REFERENCE_MAX = 255 - DIGEST_LENGTH
_PATH = _DIGITS | frozenset("ghijklmnopqrstuvwxyz._-")
_TAG = _PATH | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_IPV6 = frozenset("0123456789abcdefABCDEF:.")


def _is_host(host: str) -> bool:
    name, port = host, "0"
    if ":" in host and not host.endswith("]"):
        name, _, port = host.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        return False
    if name.startswith("["):
        return name.endswith("]") and _IPV6.issuperset(name[1:-1])
    return all(_is_plain(part, _TAG) for part in name.split("."))


def _is_plain(part: str, allowed: frozenset[str]) -> bool:
    return bool(part) and allowed.issuperset(part) and part[0] not in "._-" and part[-1] not in "._-"


def split(text: str) -> tuple[str, str, str]:
    """Host, path and tag of a name without a digest; host and tag may be empty."""
    first, slash, rest = text.partition("/")
    host = first if slash and (set(first) & set(".:") or first == "localhost") else ""
    path = rest if host else text
    head, colon, tag = path.rpartition(":")
    return (host, head, tag) if colon else (host, path, "")


def full_name(text: str) -> str:
    """The name *text* with host and tag, as podman and docker complete it; a digest in it makes a tag needless."""
    rest, at, digest = text.partition("@")
    host, path, tag = split(rest)
    host = "docker.io" if host in ("", "index.docker.io") else host
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}@{digest}" if at else f"{host}/{path}:{tag or 'latest'}"


def local_name(text: str) -> str:
    """The full name of an image that is made here and is to be called *text*: of no registry, unless that names one."""
    return full_name(text if split(text)[0] else f"localhost/{text}")


def candidates(text: str) -> Iterator[str]:
    """The full names that *text* may stand for in the store, the likeliest first: what was made here wins."""
    host, path, _ = split(text.partition("@")[0])
    if not host:
        yield full_name(f"localhost/{text}")
    yield full_name(text)


def ends_as(name: str, text: str) -> bool:
    """Whether *text*, without a host, is the end of the full name *name*."""
    host, path, tag = split(text.partition("@")[0])
    end = f"/{text}" if "@" in text or tag else f"/{path}:latest"
    return not host and name.endswith(end)


def file_of(name: str) -> str:
    """The file name that a full name has in the store; no name has a plus in it."""
    return name.replace("/", "+")


def name_of(file: str) -> str:
    """The full name behind a file name."""
    return file.replace("+", "/")
