"""Root file systems into an OCI layout: directories, disk images, and the layers of an `.mstack` directory.

tar(1) makes the archives, systemd-dissect(1) mounts disk images.  In layers that overlayfs has merged a device 0:0 is a
file that was removed, and a mark on a directory says that it hides those below: OCI has empty files for both.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess

from nsunit.errors import NsunitError
from nsunit.features.images.fetch.work import LAYOUT
from nsunit.names import printable
from nsunit.storage.sparse import seems_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPAQUE = ("user.overlay.opaque", "trusted.overlay.opaque")
_TAR = (
    *("tar", "--format=pax", "--pax-option=delete=atime,delete=ctime", "--numeric-owner", "--no-recursion"),
    *("--acls", "--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability"),
    *("--xattrs-exclude=user.overlay.*", "--null", "--verbatim-files-from"),
)
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_PIECE = 1 << 20
_MORE, _GONE = "due to previous errors", "No such file or directory"  # ends of tar's lines


def archive(job: dict[str, Any]) -> dict[str, Any]:
    """Make the layout `image` in job["staging"] of job["layers"], each a directory or disk image, the lowest first.

    Its config is job["config"], with the digests of the layers.  Returns what there is to say of it.

    Raises:
        NsunitError: a program has failed.
        OSError: something cannot be read.
    """
    place = f"{job['staging']}/{LAYOUT}"
    os.makedirs(f"{place}/blobs/sha256")
    warnings: list[str] = []
    layers = []
    for number, path in enumerate(job["layers"]):
        directory, is_disk = path, not os.path.isdir(path)
        if is_disk:
            directory = f"{job['staging']}/mounted-{number}"
            os.mkdir(directory)
            _run("systemd-dissect", "--read-only", "--mount", path, directory)
        content = f"{job['staging']}/{number}.tar"
        warnings += _pack(directory, content, f"{job['staging']}/whiteouts-{number}", mounts=is_disk)
        layers.append(_blob(place, content))
    config = {**job["config"], "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _document(place, config),
        "layers": [{**layer, "mediaType": _LAYER} for layer in layers],
    }
    described = {**_document(place, manifest), "mediaType": manifest["mediaType"]}
    with open(f"{place}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [described]}, file)
    return {"warnings": warnings[:_WARNINGS_MAX]}


_WARNINGS_MAX = 20


def _pack(directory: str, target: str, whiteouts: str, *, mounts: bool) -> list[str]:
    """Write the tar archive *target* of *directory*; returns what tar(1) has to say of it.

    What is mounted below belongs to it with *mounts* alone: a disk may have /usr, /var and others in partitions.
    """
    entries, packed, removed = _entries(os.fsencode(directory), mounts)
    warnings = _tar("--create", target, directory, entries, "--sparse")
    if packed:
        warnings += _tar("--append", target, directory, packed)
    if removed:
        for path in removed:
            os.makedirs(os.path.dirname(os.fsencode(whiteouts) + b"/" + path), exist_ok=True)
            with open(os.fsencode(whiteouts) + b"/" + path, "xb"):
                pass
        warnings += _tar("--append", target, whiteouts, removed)
    return warnings


def _entries(top: bytes, mounts: bool) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What is in the directory *top*, in other file systems with *mounts* alone; and empty files for what it hides.

    Between them are files that tar(1) would take for holes with --sparse.
    """
    device = os.lstat(top).st_dev
    found = [b"."]
    packed: list[bytes] = []
    removed: list[bytes] = []
    for parent, directories, files in os.walk(top, onerror=lambda error: _unless_gone(error, top)):
        directories.sort()
        relative = parent[len(top) + 1 :]
        if relative and any(_is_set(parent, name) for name in _OPAQUE):
            removed.append(relative + b"/.wh..wh..opq")
        for name in sorted((*directories, *files)):
            try:
                status = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue  # removed since it was listed
            path = os.path.join(relative, name)
            if stat.S_ISCHR(status.st_mode) and not status.st_rdev:
                removed.append(os.path.join(relative, b".wh." + name))
            elif not stat.S_ISSOCK(status.st_mode):
                (packed if seems_empty(os.path.join(parent, name), status) else found).append(path)
            if stat.S_ISDIR(status.st_mode) and status.st_dev != device and not mounts:
                directories.remove(name)
    return found, packed, removed


def _unless_gone(error: OSError, top: bytes) -> None:
    if not isinstance(error, FileNotFoundError) or error.filename == top:
        raise error


def _is_set(path: bytes, name: str) -> bool:
    try:
        return os.getxattr(path, name, follow_symlinks=False) in (b"y", b"x")
    except OSError:
        return False  # it has none, or its file system has no attributes


def _tar(what: str, target: str, directory: str, entries: list[bytes], *options: str) -> list[str]:
    names = b"\0".join(b"./" + entry if entry != b"." else entry for entry in entries)
    places = (f"--file={target}", f"--directory={directory}", "--files-from=-")
    return _run(*_TAR, *options, what, *places, given=names, differs=1)


def _run(*command: str, given: bytes = b"", differs: int = 0) -> list[str]:
    """Run *command*; returns what it says if it ends with the status *differs*: files change while they are read."""
    done = subprocess.run(
        command,
        input=given,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )
    said = [printable(line) for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode not in (0, differs):
        told = [line for line in said if not line.endswith(_MORE)]
        reason = told[-1] if told else f"it has ended with {done.returncode}"
        hint = "it is written to meanwhile: stop what does that, and try again" if reason.endswith(_GONE) else None
        raise NsunitError(f"'{command[0]}' has failed: {reason}", hint=hint)
    return said if done.returncode else []


def _blob(place: str, path: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
        size = file.tell()
    os.rename(path, f"{place}/blobs/sha256/{digest.hexdigest()}")
    return {"digest": f"sha256:{digest.hexdigest()}", "size": size}


def _document(place: str, document: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(document, sort_keys=True).encode()
    digits = hashlib.sha256(content).hexdigest()
    with open(f"{place}/blobs/sha256/{digits}", "wb") as file:
        file.write(content)
    return {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": f"sha256:{digits}",
        "size": len(content),
    }
