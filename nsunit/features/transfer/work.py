"""The archive of a container into a staging directory.  It is somebody else's: see nsunit.features.images.unpack."""

from __future__ import annotations

import errno
import json
import os
import tarfile

from nsunit.dropins.definitions import FILE_MAX
from nsunit.errors import NsunitError
from nsunit.features.images.unpack import confine, sources, zstd
from nsunit.features.images.unpack.apply import Layer, Limits
from nsunit.features.images.unpack.archive import parts_of
from nsunit.features.images.unpack.stream import Content
from nsunit.features.transfer.bundle import DATA, DEFINITION, FILES_MAX, MANIFEST, UNITS, UPPER, VOLUMES
from nsunit.features.transfer.pack import OPAQUE
from nsunit.names import printable
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.features.images.unpack.stream import Blob

SIZE_MAX = 1 << 44
_LIMITS = Limits(SIZE_MAX, 20_000_000)
_ANSWER_MAX = 64 << 20
_OPAQUE_MAX = 32 << 20  # bytes of names
_KEY = f"SCHILY.xattr.{OPAQUE}"
BENEATH = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_XDEV


def unpack(job: dict[str, Any]) -> dict[str, Any]:
    """Unpack job["archive"] into job["staging"].

    *called* in it is how messages call the archive, *opaque* the name of overlayfs's attribute, and *volumes* the
    directory in the upper layer that volumes come into, which nothing in the archive can be called.

    Returns the manifest, and the files of the definition by their names.

    Raises:
        NsunitError: it is not such an archive, or damaged.
        OSError: the host refuses something.
    """
    zstd.preload()
    staging = job["staging"]
    blob = sources.open_regular(job["archive"]).replace(name=job["called"])
    overlay = f"{staging}/overlay"
    for path, mode in ((f"{staging}/mount", 0o700), (overlay, 0o755), (f"{overlay}/work", 0o700)):
        os.mkdir(path, mode)
        os.chmod(path, mode)
    os.mkdir(f"{overlay}/upper")
    os.chmod(f"{overlay}/upper", 0o755)
    ground = confine.Ground(f"{staging}/mount", overlay, (), bool(job["ids"]))
    answer = confine.run(ground, blob.fd, lambda root: _apply(root, blob, job["volumes"]), _ANSWER_MAX)
    found: dict[str, Any] = json.loads(answer)
    if "error" in found:
        raise NsunitError(found["error"], hint=found["hint"])
    make_opaque(f"{overlay}/upper", found.pop("opaque"), job["opaque"])
    return found


def make_opaque(upper: str, paths: list[str], name: str) -> None:
    """Say of directories that they hide those below: that takes a privilege which who unpacks has not."""
    top = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for path in paths:
        try:
            fd = linux.openat2(top, path, os.O_RDONLY | os.O_DIRECTORY, BENEATH)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            continue  # something else came in its place
        os.setxattr(fd, name, b"y")
        os.close(fd)
    os.close(top)


def _apply(root: int, blob: Blob, volumes: str) -> bytes:
    layer = Incoming(root, volumes)

    def apply() -> None:
        layer.apply(Archive(blob, SIZE_MAX))
        if not layer.files:
            raise NsunitError(f"{blob.name}: it is not what 'nsunit export' writes: it is empty")

    failure = told(apply, blob.name)
    found = failure or {"files": layer.files, "opaque": layer.opaque, "warnings": layer.warnings}
    return json.dumps(found).encode()


def told(apply: Callable[[], object], name: str) -> dict[str, Any]:
    """What a confined process answers if *apply*, on the archive *name*, fails: `error` and `hint`; else nothing."""
    try:
        apply()
    except NsunitError as error:
        return {"error": error.message, "hint": error.hint}
    except OSError as error:
        return {"error": f"{name}: {error.strerror or error}", "hint": None}
    except MemoryError:
        return {"error": f"{name}: it takes more memory than it may", "hint": None}
    except Exception as error:
        return {"error": f"{name}: internal error: {type(error).__name__}: {error}", "hint": None}
    return {}


class Archive(Content):
    """An archive of nsunit's."""

    def damaged(self, why: str) -> NsunitError:
        """What is raised where something in it cannot be."""
        return NsunitError(f"{self.blob.name}: {why}", hint="export it anew")


class Upper(Layer):
    """Makes a directory as overlayfs has its upper ones; *opaque* are directories to be made so."""

    whiteouts = False
    describes = False

    def __init__(self, root: int) -> None:
        super().__init__(root, _LIMITS)
        self.opaque: list[str] = []
        self._names = _OPAQUE_MAX

    def _set_directory(self, entry: tarfile.TarInfo, path: str, fd: int) -> None:
        if entry.pax_headers.get(_KEY) == "y" and path:
            entry.pax_headers = {key: text for key, text in entry.pax_headers.items() if key != _KEY}
            self._names -= len(path)
            if self._names < 0:
                os.close(fd)
                raise ValueError("too many directories hide what is below them")
            self.opaque.append(path)
        super()._set_directory(entry, path, fd)


class Incoming(Upper):
    """Makes what is below `upper/`, and in *volumes* what is below `volumes/`; keeps the small files beside them."""

    def __init__(self, root: int, volumes: str) -> None:
        super().__init__(root)
        self.volumes = volumes
        self.files: dict[str, str] = {}
        self._room = FILES_MAX

    def _entry(self, entry: tarfile.TarInfo, content: Content) -> None:
        parts = parts_of(entry.name)
        if not self.files:
            if parts != [MANIFEST]:
                raise NsunitError(
                    f"{content.blob.name}: it is not what 'nsunit export' writes: it begins with "
                    f"'{printable(entry.name[:200])}'",
                    hint="images come in by 'nsunit image import'",
                )
            self._keep(entry, MANIFEST, content)
        elif parts[:1] == [UPPER]:
            entry.name = "/".join(parts[1:])
            if entry.islnk():
                entry.linkname = entry.linkname.removeprefix("./").removeprefix(f"{UPPER}/")
            super()._entry(entry, content)
        elif parts[:1] == [VOLUMES] and parts[2:3] == [DATA] and (entry.isdir() or parts[3:]):
            entry.name = "/".join((self.volumes, *parts[1:]))
            if entry.islnk():
                entry.linkname = f"{self.volumes}/{entry.linkname.removeprefix('./').removeprefix(f'{VOLUMES}/')}"
            entry.pax_headers = {key: text for key, text in entry.pax_headers.items() if key != _KEY}
            super()._entry(entry, content)
        elif parts[:1] in ([DEFINITION], [UNITS]) and entry.isreg():
            self._keep(entry, "/".join(parts), content)
        else:
            raise ValueError("it does not belong in the archive of a container")

    def _keep(self, entry: tarfile.TarInfo, name: str, content: Content) -> None:
        if not entry.isreg() or entry.size > FILE_MAX or entry.size > self._room:
            raise ValueError("it is no small file, as it should be")
        self._room -= entry.size
        self.files[name] = b"".join(content.copy(entry.size)).decode("utf-8", "surrogateescape")
