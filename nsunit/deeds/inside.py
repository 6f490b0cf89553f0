"""What a definition names inside of its root: looked up in the layers, as they would be merged, before any start."""

from __future__ import annotations

import errno
import os
import stat

from nsunit.errors import Problem
from nsunit.setup import files
from nsunit.setup.accounts import parse_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Container, Definition

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing_inside(context: Context, definition: Definition) -> list[Problem]:
    """The program and the users of *definition* that its root does not have; none where that is not known."""
    container = definition.container
    layers = [f"{context.paths.upper_of(definition.name)}/upper"] if container.layers else []
    layers += container.layers or ([container.rootfs] if container.rootfs else [])
    if container.image or not any(map(os.path.isdir, layers[-1:])):
        return []  # the layers of an image are known when it starts
    found = [*_program(layers, container), *_accounts(layers, container)]
    return [Problem(definition.sources[0], 0, f"[Container] {text}", hint) for text, hint in found]


def _program(layers: Sequence[str], container: Container) -> Iterator[tuple[str, str]]:
    if not container.exec:
        return
    program = container.exec[0]
    path = dict(container.environment).get("PATH", PATH)
    candidates = [program] if "/" in program else [f"{directory}/{program}" for directory in path.split(":")]
    if "/" in program and program[0] != "/":
        return  # below the working directory, which is made in the container
    if any(_is_covered(container, candidate) for candidate in candidates):
        return
    places = [place for candidate in candidates if (place := _resolve(layers, candidate))]
    if not places:
        yield f"Exec: '{program}' is not in the root", "check Exec= against what is in the root"
    elif not any(os.lstat(place).st_mode & 0o111 for place in places):
        yield f"Exec: '{program}' is not executable", "make the file executable, or run it through its interpreter"


def _accounts(layers: Sequence[str], container: Container) -> Iterator[tuple[str, str]]:
    groups = (container.group, *container.supplementary_groups)
    for key, names, file in (("User", (container.user,), "passwd"), ("Group", groups, "group")):
        wanted = [name for name in names if name and parse_id(name) is None]
        if not wanted or _is_covered(container, f"/etc/{file}"):
            continue
        try:
            known = _names(layers, f"/etc/{file}")
        except OSError as error:  # an image may have anything there
            yield f"{key}: /etc/{file} of the root cannot be read: {error.strerror}", "mend it, or give a number"
            continue
        for name in wanted:
            if name not in known and name != "root":
                yield f"{key}: '{name}' is not in /etc/{file} of the root", "add it there, or give a number"


def _names(layers: Sequence[str], path: str) -> set[str]:
    place = _resolve(layers, path)
    if not place:
        return set()
    layer = next(layer for layer in layers if place.startswith(f"{layer}/"))
    root = os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        content = files.read_file(root, place[len(layer) + 1 :])
    finally:
        os.close(root)
    return {line.partition(":")[0] for line in content.decode(errors="replace").splitlines()}


def _is_covered(container: Container, path: str) -> bool:
    """Whether something is mounted there, or above, that is not of the layers."""
    targets = [bind.target for bind in container.binds] + [tmpfs.target for tmpfs in container.tmpfs]
    return any(f"{path}/".startswith(f"{target.rstrip('/')}/") for target in targets)


def _resolve(layers: Sequence[str], path: str) -> str:
    """Where *path* of the merged *layers*, the top first, is on the host, without links; empty if it is nowhere."""
    try:
        return _place(layers, files.without_links(path, lambda inside: _target(_place(layers, inside))))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return ""


def _place(layers: Sequence[str], inside: str) -> str:
    """The highest one of *layers* that has the path *inside*, without links in it, with that.

    Raises:
        FileNotFoundError: none has it, or it was removed.
    """
    place = next((layer + inside for layer in layers if os.path.lexists(layer + inside)), "")
    status = os.lstat(place)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:  # a whiteout
        raise FileNotFoundError(inside)
    return place


def _target(place: str) -> str | None:
    return os.readlink(place) if os.path.islink(place) else None
