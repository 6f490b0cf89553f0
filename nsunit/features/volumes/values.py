"""What a definition says of its volumes, and what their names are.  Pure."""

from __future__ import annotations

from nsunit.definition.values import size
from nsunit.definition.values_container import target_path
from nsunit.definition.words import ValueProblem, fields, split, wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.definition.model import Container

NAME_MAX = 255
ANONYMOUS = "anonymous"
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_ALLOWED = _FIRST | frozenset("_.-")
_HINT = "use [NAME:]TARGET[:OPTIONS], options ro, rw, copy, nocopy, exec, noexec, U, size=SIZE"
_PATH_HINT = "for a directory of the host use Bind= or -v with its whole path, from / on"
_NAME_HINT = "use letters, digits, '_', '.' and '-', starting with a letter or digit"


class Volume(Record):
    """One volume of a container; one without a *name* is the container's own, and one in *memory* a tmpfs.

    *copy*: it is filled from the root when it is new.  *owned*: all in it becomes the program's.  *size_max* is in
    bytes, 0 for what it is without.
    """

    name: str
    target: str
    read_only: bool = False
    copy: bool = True
    executable: bool = True
    owned: bool = False
    memory: bool = False
    size_max: int = 0


class Chosen(Record):
    """The volumes of a container, and what becomes of those that its image asks for: anonymous, tmpfs or ignore."""

    volumes: tuple[Volume, ...] = ()
    of_image: str = ANONYMOUS


def of(container: Container) -> Chosen:
    """What *container* has of volumes."""
    found: Chosen = container.extra("volumes", Chosen())
    return found


def is_name(text: str) -> bool:
    """Whether *text* can be the name of a volume."""
    return 0 < len(text) <= NAME_MAX and text[0] in _FIRST and _ALLOWED.issuperset(text)


def file_of(target: str) -> str:
    """The file name that the volume at *target* has among those of its container."""
    return target.removeprefix("/").replace("%", "%25").replace("/", "%2F")


def target_of(file: str) -> str:
    """The path behind such a file name."""
    return "/" + file.replace("%2F", "/").replace("%25", "%")


def volumes(text: str) -> tuple[Volume, ...]:
    """`Volume=`: `[NAME:]TARGET[:OPTIONS]…`."""
    return tuple(map(_volume, split(text, keep_escapes=True)))


def _volume(word: str) -> Volume:
    parts = fields(word)
    name = "" if parts[0].startswith("/") else parts.pop(0)
    if not name and len(parts) > 1 and parts[1].startswith("/"):
        raise wrong(parts[0], "is not the name of a volume", "use Bind= for a directory of the host")
    if not parts:
        raise wrong(name, "is not the path of a volume", _HINT)
    if len(parts) > 2:
        raise wrong(word, "has too many colons", "put a backslash before a colon that is part of a path")
    if name and not is_name(name):
        is_path = "/" in name
        raise wrong(name, "is not the name of a volume", _PATH_HINT if is_path else _NAME_HINT)
    volume = Volume(name, target_path(parts[0]))
    if not name and len(file_of(volume.target).encode()) > NAME_MAX:
        raise wrong(parts[0], "is too long for a volume without a name", "give it one, NAME:TARGET")
    for option in filter(None, parts[1].split(",") if len(parts) > 1 else ()):
        if option in ("ro", "rw"):
            volume = volume.replace(read_only=option == "ro")
        elif option in ("copy", "nocopy"):
            volume = volume.replace(copy=option == "copy")
        elif option in ("exec", "noexec"):
            volume = volume.replace(executable=option == "exec")
        elif option == "U":
            volume = volume.replace(owned=True)
        elif option.startswith("size="):
            volume = volume.replace(size_max=_size(option.removeprefix("size=")))
        elif option not in ("nosuid", "nodev"):  # they always are
            raise wrong(option, "is not an option of a volume", _HINT)
    return volume


def _size(text: str) -> int:
    found = size(text)
    if not found:
        raise wrong(text, "leaves no room for anything", "e.g. size=512M")
    return found


def image_target(text: str) -> str:
    """Where a volume of an image is, normalised.

    Raises:
        ValueProblem: there can be none.
    """
    path = target_path(text)
    if len(file_of(path).encode()) > NAME_MAX:
        raise ValueProblem(f"'{text}' is too long")
    return path


def places(container: Container) -> set[str]:
    """Where *container* has other mounts of its definition."""
    return {item.target for item in container.binds} | {item.target for item in container.tmpfs}


def with_image_volumes(container: Container, targets: Iterable[str]) -> Container:
    """*container* with the volumes that its image has at *targets*; what the definition has at one of them wins."""
    chosen = of(container)
    taken = {*places(container), *(item.target for item in chosen.volumes)}
    more = [target for target in targets if target not in taken]
    if not more or chosen.of_image == "ignore":
        return container
    memory = chosen.of_image == "tmpfs"
    found = (*chosen.volumes, *(Volume("", target, memory=memory) for target in more))
    return container.with_extra("volumes", chosen.replace(volumes=found))
