"""The layers of another store into a staging directory, each as its directory is there, in a unit of its own.

They come as archives in overlayfs's own form.  Files whose content is in some layer of this store come without it, and
are filled from there.  What has become of each is compared with the digest of its catalog that the sender told.
"""

from __future__ import annotations

import errno
import json
import os
import stat

from nsunit.errors import NsunitError
from nsunit.features.images.out.writer import extents
from nsunit.features.images.unpack import confine, sources, zstd
from nsunit.features.images.unpack.catalog import unescaped, write_catalog
from nsunit.features.transfer.deploy.offer import CONTENT, catalog_digest, contents
from nsunit.features.transfer.work import BENEATH, SIZE_MAX, Archive, Upper, make_opaque, told
from nsunit.setup import linux
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterable, Iterator
    from typing import Any

    from nsunit.features.images.unpack.stream import Blob, Content

_ANSWER_MAX = 256 << 20
_CAPABILITY = "security.capability"
_NO_COPY = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
_PIECE = 1 << 18


def unpack(job: dict[str, Any]) -> dict[str, Any]:
    """Unpack job["layers"], each {"archive", "called", "place", "files"}, into their places in job["staging"].

    Raises:
        NsunitError: one is damaged.
        OSError: the host refuses something.
    """
    zstd.preload()
    os.mkdir(f"{job['staging']}/mount")
    for item in job["layers"]:
        _unpack(job, item, f"{job['staging']}/{item['place']}")
    return {}


def _unpack(job: dict[str, Any], item: dict[str, Any], place: str) -> None:
    blob = sources.open_regular(item["archive"]).replace(name=item["called"])
    for path, mode in ((place, 0o700), (f"{place}/upper", 0o755)):
        os.mkdir(path, mode)
        os.chmod(path, mode)
    ground = confine.Ground(f"{job['staging']}/mount", place, (), bool(job["ids"]))
    found = json.loads(confine.run(ground, blob.fd, lambda root: _apply(root, blob), _ANSWER_MAX))
    os.close(blob.fd)
    if "error" in found:
        raise NsunitError(found["error"], hint=found["hint"])
    make_opaque(f"{place}/upper", found["opaque"], job["opaque"])
    _fill(f"{place}/upper", found["missing"], job["store"], item["called"])
    os.rename(f"{place}/upper", f"{place}/root")
    write_catalog(place)
    if catalog_digest(catalog(place)) != item["files"]:
        raise NsunitError(
            f"{item['called']}: it is not what its host has noted of it",
            hint="'nsunit image check' there, and here, says what is damaged",
        )


def catalog(place: str) -> Iterator[str]:
    """The lines about the layer in the directory *place*."""
    with open(f"{place}/files", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        yield from file


def _apply(root: int, blob: Blob) -> bytes:
    layer = Received(root)
    failure = told(lambda: layer.apply(Archive(blob, SIZE_MAX)), blob.name)
    return json.dumps(failure or {"opaque": layer.opaque, "missing": layer.missing}).encode()


class Received(Upper):
    """Makes a layer; *missing* are the files that came without their content, with the key of that."""

    def __init__(self, root: int) -> None:
        super().__init__(root)
        self.missing: list[tuple[str, str]] = []

    def _file(self, entry: tarfile.TarInfo, directory: int, path: str, content: Content) -> None:
        super()._file(entry, directory, path, content)
        if key := entry.pax_headers.get(CONTENT):
            self.missing.append((path, key))


def _fill(upper: str, missing: list[tuple[str, str]], store: str, called: str) -> None:
    """Copy the content of the files *missing* in the directory *upper* from the layers of *store*."""
    if not missing:
        return
    wanted = {key for _, key in missing}
    found = dict(_sources(store, wanted))
    top = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for path, key in missing:
        if key not in found:
            raise NsunitError(f"{called}: a layer with some of its files went meanwhile", hint="try again")
        target = linux.openat2(top, path, os.O_RDWR | os.O_NONBLOCK, BENEATH)
        source = os.open(found[key], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        _copy(source, target)
        os.close(source)
        os.close(target)
    os.close(top)


def _sources(store: str, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Where the contents *wanted* are."""
    for chain in files.list_directory(store):
        for path, key in contents(catalog(f"{store}/{chain}")):
            if key in wanted:
                yield key, f"{store}/{chain}/root{unescaped(path)}"


def _copy(source: int, target: int) -> None:
    """Give *target* the content of *source*.

    To write changes the time and takes file capabilities away, and for who is root of a user namespace only, as a
    user's root is, the set-user-ID bits as well.
    """
    before = os.fstat(target)
    if not stat.S_ISREG(before.st_mode):
        raise NsunitError("something else came in a file's place", hint="try again")
    capability = os.getxattr(target, _CAPABILITY) if _CAPABILITY in os.listxattr(target) else None
    status = os.fstat(source)
    for offset, size in extents(source, status.st_size):
        _copy_extent(source, target, offset, size)
    os.ftruncate(target, status.st_size)
    os.fchmod(target, stat.S_IMODE(before.st_mode))
    if capability is not None:
        os.setxattr(target, _CAPABILITY, capability)
    os.utime(target, ns=(before.st_mtime_ns, before.st_mtime_ns))


def _copy_extent(source: int, target: int, offset: int, size: int) -> None:
    end = offset + size
    while offset < end:
        try:
            count = os.copy_file_range(source, target, end - offset, offset, offset)
        except OSError as error:
            if error.errno not in _NO_COPY:
                raise
            count = os.pwrite(target, os.pread(source, min(_PIECE, end - offset), offset), offset)
        if not count:
            return
        offset += count
