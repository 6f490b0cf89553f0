"""Where images go: OCI layouts, docker's archives, skopeo's directories, as lists of files written one after the other.

What tells that an image is there is written last, so that what was begun and killed is no image, and is done by the
same command again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tarfile

from nsunit.errors import NsunitError, UsageError
from nsunit.features.images.layout import full_name, is_reference, split
from nsunit.features.images.out.changes import dumped
from nsunit.features.images.out.parts import MANIFEST, Parts, descriptor
from nsunit.names import printable
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, BinaryIO

    # Names, and what they are to have: that, or the content of a file by its path.
    Files = list[tuple[str, bytes | str]]

TRANSPORTS = ("oci", "oci-archive", "docker-archive", "dir", "tar")
STDOUT = 1
_MODE = 0o644
_TAG = "org.opencontainers.image.ref.name"
_INDEX = "application/vnd.oci.image.index.v1+json"


class Target(Record):
    """`TRANSPORT:PATH[:TAG]`, with an absolute path, or `-` for standard output."""

    transport: str
    path: str
    tag: str = ""

    @property
    def is_directory(self) -> bool:
        """Whether the files are put into a directory, and not into an archive."""
        return self.transport in ("oci", "dir")


def target_of(text: str) -> Target:
    """The target that *text* means; `-` alone is what `docker save` writes.

    Raises:
        UsageError: there is no such transport, something is there already, or standard output is a terminal.
    """
    transport, colon, rest = text.partition(":") if text != "-" else ("docker-archive", ":", "-")
    if transport not in TRANSPORTS or not rest:
        hint = ", ".join(f"{name}:PATH" for name in TRANSPORTS)
        raise UsageError(f"'{printable(text)}' is not where an image can be put", hint=hint)
    path, tag = rest, ""
    if transport not in ("dir", "tar"):
        head, colon, last = rest.rpartition(":")
        whole = rest.partition(":")[2]
        if (transport == "docker-archive" or ":" in whole) and is_reference(whole or "/"):
            path, tag = rest.partition(":")[0], whole
        elif colon and "/" not in last:
            path, tag = head, last
    if tag and not is_reference(tag if transport == "docker-archive" or ":" in tag else f"x:{tag}"):
        raise UsageError(f"'{printable(tag)}' is not a tag", hint="letters, digits, '_', '.' and '-'")
    if path == "-":
        return _of_stream(Target(transport, path, tag))
    target = Target(transport, os.path.abspath(path), tag)
    if not target.is_directory and os.path.lexists(target.path):
        raise UsageError(f"'{printable(target.path)}' is there already", hint="remove it, or name another file")
    if target.is_directory and os.path.lexists(target.path) and not os.path.isdir(target.path):
        raise UsageError(f"'{printable(target.path)}' is no directory")
    if transport == "dir" and files.list_directory(target.path):
        raise UsageError(f"the directory '{printable(target.path)}' is not empty", hint="such a one has one image only")
    if transport == "oci" and files.list_directory(target.path) and not os.path.exists(f"{target.path}/oci-layout"):
        raise UsageError(f"the directory '{printable(target.path)}' has something else in it", hint="name another one")
    if not os.path.isdir(os.path.dirname(target.path)):
        raise UsageError(f"there is no directory '{printable(os.path.dirname(target.path))}'")
    return target


def _of_stream(target: Target) -> Target:
    if target.is_directory:
        hint = "docker-archive:- or oci-archive:-; a directory of that name is ./-"
        raise UsageError(f"'{target.transport}:' is a directory, which is not for a pipe", hint=hint)
    if os.isatty(STDOUT):
        raise UsageError("an image is not for a terminal", hint=f"a file, {target.transport}:FILE, or a pipe")
    return target


def put(target: Target, parts: Parts, names: Sequence[str]) -> None:
    """Write the image of *parts*, which is called *names*, to *target*.

    Raises:
        OSError: it cannot be written; a file is not there then.
    """
    if target.is_directory:
        with _alone(target.path):
            _put(target, parts, names)
    else:
        _put(target, parts, names)


def _put(target: Target, parts: Parts, names: Sequence[str]) -> None:
    if target.transport == "docker-archive":
        wanted = _docker_archive(parts, [full_name(target.tag)] if target.tag else names)
    elif target.transport == "dir":
        wanted = _skopeo_directory(parts)
    else:
        index = _index_there(target.path) if target.is_directory else []
        wanted = layout(parts, target.tag or _tag_of(names), index)
    if target.is_directory:
        write_directory(target.path, wanted)
    elif target.path == "-":
        to_output(lambda: _write_archive(STDOUT, wanted))
    else:
        files.write_whole(target.path, lambda fd: _write_archive(fd, wanted), _MODE, replace=False)


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Have the directory *path*, made where it is missing, for oneself: of two at once one would lose its tag."""
    while True:
        is_new = not os.path.isdir(path)
        os.makedirs(path, exist_ok=True)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # who has made it could not fill it
        try:
            with files.Named(path):
                _lock(fd)
            if os.path.isdir(path) and os.path.samestat(os.stat(path), os.fstat(fd)):
                yield
                return
        except BaseException:
            if is_new:
                with contextlib.suppress(OSError):  # somebody else has put something in
                    os.rmdir(path)
            raise
        finally:
            os.close(fd)


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):  # NFS, which has none of a directory
            raise


def _tag_of(names: Sequence[str]) -> str:
    return split(names[0])[2] if names else "latest"


def _index_there(path: str) -> list[Any]:
    content = files.read_file(f"{path}/index.json")
    if content is None:
        return []
    try:
        found = json.loads(content)["manifests"]
        if isinstance(found, list) and all(isinstance(item, dict) for item in found):
            return found
    except (ValueError, LookupError, TypeError):
        pass  # as below
    raise NsunitError(f"'{printable(path)}/index.json' is not that of an OCI layout", hint="name another directory")


def layout(parts: Parts, tag: str, others: Sequence[Any] = ()) -> Files:
    """An OCI layout with *parts* called *tag*, beside those of the index's *others* that are called otherwise."""
    manifest = parts.manifest
    digest = hashlib.sha256(manifest).hexdigest()
    item = {**descriptor(MANIFEST, digest, len(manifest)), "annotations": {_TAG: tag}}
    kept = [other for other in others if (other.get("annotations") or {}).get(_TAG) != tag]
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [*kept, item]}
    return [
        ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        *((f"blobs/sha256/{layer.blob}", layer.path) for layer in parts.layers),
        (f"blobs/sha256/{parts.id}", parts.config),
        (f"blobs/sha256/{digest}", manifest),
        ("index.json", dumped(index)),
    ]


def _docker_archive(parts: Parts, names: Sequence[str]) -> Files:
    layers = [f"{layer.diff}.tar" for layer in parts.layers]
    item = {"Config": f"{parts.id}.json", "RepoTags": list(names), "Layers": layers}
    manifest = json.dumps([item], separators=(",", ":")).encode()
    return [
        *((name, layer.path) for name, layer in zip(layers, parts.layers, strict=True)),
        (f"{parts.id}.json", parts.config),
        ("manifest.json", manifest),
    ]


def _skopeo_directory(parts: Parts) -> Files:
    return [
        ("version", b"Directory Transport Version: 1.1\n"),
        *((layer.blob, layer.path) for layer in parts.layers),
        (parts.id, parts.config),
        ("manifest.json", parts.manifest),
    ]


def write_directory(path: str, wanted: Files) -> None:
    """Put the files *wanted* into the directory *path*, which is made where it is missing.

    Raises:
        OSError: they cannot be written; all is as it was.
    """
    was_there, was_empty = os.path.isdir(path), not files.list_directory(path)
    lacking = [name for name, _ in wanted if not os.path.lexists(f"{path}/{name}")]
    try:
        _write_files(path, wanted)
    except BaseException:
        if not was_there:
            files.remove_tree(path)
        elif was_empty:
            for name in files.list_directory(path):
                remove = files.remove_tree if os.path.isdir(f"{path}/{name}") else files.discard
                remove(f"{path}/{name}")
        elif files.read_file(f"{path}/{wanted[-1][0]}") != wanted[-1][1]:  # else it is whole
            for name in lacking:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(f"{path}/{name}")
        raise


def _write_files(path: str, wanted: Files) -> None:
    for name, content in wanted:
        target = f"{path}/{name}"
        if name.startswith("blobs/") and os.path.exists(target):
            continue  # it has its digest for a name
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if isinstance(content, bytes):
            files.write_file(target, content, 0o644)
        else:
            copy_file(content, target)


def copy_file(source: str, target: str, *, replace: bool = True) -> None:
    """Copy the file *source* to *target*, which is there when it is whole; see `files.write_whole`."""
    files.write_whole(target, lambda fd: copy_to(source, fd), _MODE, replace=replace)


def to_output(write: Callable[[], object]) -> None:
    """Have *write* write to standard output, which is what its errors call it.

    Raises:
        OSError: there is no room, or nobody reads.
    """
    try:
        write()
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or "standard output") from None


def copy_to(source: str, fd: int) -> None:
    """Write the content of the file *source* to the descriptor *fd*."""
    with open(source, "rb") as reader, open(fd, "wb", closefd=False) as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)


def _write_archive(fd: int, wanted: Files) -> None:
    with open(fd, "wb", closefd=False) as file:
        for name, content in dict(wanted).items():  # a layer may be there twice
            _add(file, name, content)
        file.write(bytes(2 * tarfile.BLOCKSIZE))


def _add(file: BinaryIO, name: str, content: bytes | str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content) if isinstance(content, bytes) else os.path.getsize(content)
    file.write(entry.tobuf(tarfile.PAX_FORMAT))
    if isinstance(content, bytes):
        file.write(content)
    else:
        with open(content, "rb") as reader:
            shutil.copyfileobj(reader, file, 1 << 20)
    file.write(bytes(-entry.size % tarfile.BLOCKSIZE))
