"""Images made for tests, and what their layers mean, worked out by a small model of its own."""

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TIME = 1_600_000_000


def entry(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return an entry of a tar archive: *fields* are those of TarInfo."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime = kind, len(data), TIME
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def file(name: str, data: str = "", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a regular file."""
    return entry(name, data=data.encode(), **fields)


def directory(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a directory."""
    return entry(name, tarfile.DIRTYPE, **fields)


def link(name: str, target: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a symbolic link."""
    return entry(name, tarfile.SYMTYPE, linkname=target, **fields)


def hard(name: str, target: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a hard link."""
    return entry(name, tarfile.LNKTYPE, linkname=target, **fields)


def archive(entries: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return the tar archive with *entries*."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form, errors="surrogateescape") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def digest(content: bytes) -> str:
    """Return the digest of *content* as OCI writes it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Layout:
    """An OCI layout in the directory *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.manifests: list[dict[str, Any]] = []

    def blob(self, content: bytes, kind: str) -> dict[str, Any]:
        """Add a blob and return its descriptor."""
        (self.path / "blobs/sha256" / digest(content).removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": kind, "digest": digest(content), "size": len(content)}

    def image(
        self,
        layers: list[bytes],
        tag: str = "latest",
        *,
        compress: Any = None,
        history: Any = (),
        created: str = "",
        **config: Any,
    ) -> dict[str, Any]:
        """Add an image of tar archives, gzipped unless *compress* says (function, media type); returns its manifest."""
        pack, kind = compress or (lambda content: gzip.compress(content, 1, mtime=0), LAYER + "+gzip")
        document = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
            **({"history": history} if history else {}),
            **({"created": created} if created else {}),
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(json.dumps(document).encode(), CONFIG),
            "layers": [self.blob(pack(layer), kind) for layer in layers],
        }
        descriptor = self.blob(json.dumps(manifest).encode(), MANIFEST)
        self.manifests.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}})
        self.write()
        return manifest

    def write(self) -> None:
        """Write index.json."""
        index = {"schemaVersion": 2, "manifests": self.manifests}
        (self.path / "index.json").write_text(json.dumps(index))


# What layers mean. Each is a list of entries; a tree is {path: node}, hard links have the same node.


class Node:
    """One file of a merged root."""

    def __init__(self, info: tarfile.TarInfo, data: bytes) -> None:
        self.kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.CHRTYPE: "c", tarfile.FIFOTYPE: "p"}.get(
            info.type, "-"
        )
        self.mode = info.mode
        self.uid, self.gid = info.uid, info.gid
        self.mtime: Any = info.mtime
        if self.mtime is not None:
            whole, _, rest = info.pax_headers.get("mtime", "").partition(".")
            self.mtime = int(whole + (rest + "0" * 9)[:9]) if whole else int(info.mtime) * 1_000_000_000
        self.data = data if self.kind == "-" else info.linkname.encode() if self.kind == "l" else b""
        self.device = (info.devmajor, info.devminor) if self.kind == "c" else (0, 0)
        self.xattrs = {
            key.removeprefix("SCHILY.xattr."): value
            for key, value in info.pax_headers.items()
            if key.startswith("SCHILY.xattr.user.")
        }


def merged(layers: list[list[tuple[tarfile.TarInfo, bytes]]]) -> dict[str, Node]:
    """Return the root that *layers* mean, the lowest first."""
    tree: dict[str, Node] = {"": Node(*directory("", mtime=None))}
    for layer in layers:
        own: set[str] = set()
        below = dict(tree)
        for info, data in layer:
            if not _is_about_what_is_gone(tree, below, info.name):
                _apply(tree, own, info, data)
    return tree


def _split(path: str) -> tuple[str, str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts[:-1]), "".join(parts[-1:])


def _real(tree: dict[str, Node], path: str) -> str:
    """Return the path of a directory without links in it."""
    done: list[str] = []
    waiting = [part for part in path.split("/")[::-1] if part not in ("", ".")]
    while waiting:
        part = waiting.pop()
        if part == "..":
            del done[-1:]
            continue
        node = tree.get("/".join((*done, part)))
        if node is not None and node.kind == "l":
            target = node.data.decode()
            done = [] if target.startswith("/") else done
            waiting += [item for item in target.split("/")[::-1] if item not in ("", ".")]
        else:
            done.append(part)
    return "/".join(done)


def _drop(tree: dict[str, Node], path: str) -> None:
    for below in [name for name in tree if name == path or name.startswith(f"{path}/")]:
        del tree[below]


def _is_about_what_is_gone(tree: dict[str, Node], below: dict[str, Node], path: str) -> bool:
    """Whether *path* is a whiteout in what was a directory below, and is a link to another one by now."""
    parent, name = _split(path)
    was = _real(below, parent)
    return name.startswith(".wh.") and was in below and below[was].kind == "d" and was != _real(tree, parent)


def _apply(tree: dict[str, Node], own: set[str], info: tarfile.TarInfo, data: bytes) -> None:
    parent, name = _split(info.name)
    where = _real(tree, parent)
    path = f"{where}/{name}" if where else name
    if not name:
        node = Node(info, data)
        tree[""] = node
        return
    if name.startswith(".wh."):
        hidden = where if name == ".wh..wh..opq" else f"{where}/{name[4:]}" if where else name[4:]
        for below in list(tree):
            inside = below.startswith(f"{hidden}/") or (name != ".wh..wh..opq" and below == hidden)
            if inside and below not in own and not any(mine.startswith(f"{below}/") for mine in own):
                del tree[below]
        return
    parts = where.split("/") if where else []
    for depth in range(1, len(parts) + 1):
        tree.setdefault("/".join(parts[:depth]), Node(*directory("", mtime=None)))
    if info.type == tarfile.LNKTYPE:
        source, last = _split(info.linkname)
        real = _real(tree, source)
        node = tree[f"{real}/{last}" if real else last]
    else:
        node = Node(info, data)
    if not (node.kind == "d" and path in tree and tree[path].kind == "d"):
        _drop(tree, path)
    tree[path] = node
    own.add(path)


def expected(tree: dict[str, Node]) -> dict[bytes, tuple[object, ...]]:
    """Return *tree* as `listing` has what is on a disk."""
    names: dict[int, list[str]] = {}
    for path, node in tree.items():
        if node.kind != "d":
            names.setdefault(id(node), []).append(path)
    found = {}
    for path, node in tree.items():
        group = min(_raw(name) for name in names[id(node)]) if node.kind != "d" else b""
        mode = 0o777 if node.kind == "l" else node.mode
        found[_raw(path)] = (
            *(node.kind, mode, node.uid, node.gid, node.mtime, hashlib.sha256(node.data).hexdigest()),
            *(node.device, tuple(sorted(node.xattrs.items())), group),
        )
    return found


def overlay(layers: list[Path], place: Path) -> dict[bytes, tuple[object, ...]]:
    """Return what *layers*, the topmost first, show by the kernel's overlayfs, as `listing` has it."""
    if len(layers) == 1:
        return listing(layers[0])
    links = place / uuid.uuid4().hex[:8]
    (links / "m").mkdir(parents=True)
    for number, layer in enumerate(layers):
        (links / str(number)).symlink_to(layer)  # mount(8) takes 255 characters
    options = "lowerdir=" + ":".join(map(str, range(len(layers))))
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", "m"], check=True, cwd=links)
    try:
        return listing(links / "m")
    finally:
        subprocess.run(["umount", links / "m"], check=True)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def listing(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Return what is below *root*: kind, mode, owner, mtime in ns, content, device, user attributes, link group."""
    top = os.fsencode(root)
    nodes = {b"": os.lstat(top)}
    for parent, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = os.path.join(parent, name)
            nodes[path[len(top) + 1 :]] = os.lstat(path)
    groups: dict[tuple[int, int], list[bytes]] = {}
    for path, status in nodes.items():
        groups.setdefault((status.st_dev, status.st_ino), []).append(path)
    return {path: _listed(os.path.join(top, path), status, groups) for path, status in nodes.items()}


_KINDS = {stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFIFO: "p", stat.S_IFREG: "-"}
_KINDS[stat.S_IFSOCK] = "s"


def _listed(path: bytes, status: os.stat_result, groups: dict[tuple[int, int], list[bytes]]) -> tuple[object, ...]:
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    data = os.readlink(path) if kind == "l" else Path(os.fsdecode(path)).read_bytes() if kind == "-" else b""
    device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind == "c" else (0, 0)
    names = [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("user.")]
    attributes = tuple(sorted((name, os.getxattr(path, name, follow_symlinks=False).decode()) for name in names))
    group = min(groups[status.st_dev, status.st_ino]) if kind != "d" else b""
    owner = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns)
    return (kind, *owner, hashlib.sha256(data).hexdigest(), device, attributes, group)


def differences(wanted: dict[bytes, tuple[object, ...]], found: dict[bytes, tuple[object, ...]]) -> list[str]:
    """Return how two listings differ; a time that is None in the first is any."""
    told = [f"{path!r} is missing" for path in wanted.keys() - found.keys()]
    told += [f"{path!r} should not be there" for path in found.keys() - wanted.keys()]
    for path in wanted.keys() & found.keys():
        pairs = zip(wanted[path], found[path], strict=True)
        told += [f"{path!r}: {a!r} is {b!r}" for a, b in pairs if a != b and a is not None]
    return sorted(told)
