"""checkpoint: a container is written to an image by criu(8), and ends, or goes on."""

from __future__ import annotations

import os
import time

from nsunit.jsontext import dumps
from nsunit.oci.cgroup import fs, manager
from nsunit.oci.criu import mounts, request, wire
from nsunit.oci.criu.worker import DESCRIPTORS, MOUNTS, Directories, Worker, find, version
from nsunit.oci.errors import OciError
from nsunit.oci.spec import namespaces
from nsunit.oci.spec.fields import Json, take
from nsunit.oci.state import CHECKPOINT, PAUSED, RUNNING, write_whole
from nsunit.setup import linux, read_file, unreaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.oci.context import Context
    from nsunit.oci.options import Given
    from nsunit.oci.state import Container

_LOG = "dump.log"
_SECONDS = 2.0  # for who is about to wait for an ended process


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    find()
    request.check(given)
    store, identity = context.store, given.operands[0]
    lock = store.lock(identity)
    container = store.load(identity)
    status = store.status(container)
    if status not in (RUNNING, PAUSED):
        raise OciError(f"cannot checkpoint a container that is {status}")
    ends = not (given.has("leave-running") or given.has("pre-dump"))
    if ends:
        refuse_unreaped(container.pid)
    directories = Directories(os.path.abspath(given.one("image-path", "checkpoint")), given.one("work-path"), _LOG)
    dump(context, given, container, directories)
    if ends:
        store.write(identity, CHECKPOINT, b"")  # `restore` may take its place
    os.close(lock)
    return 0, ""


def refuse_unreaped(pid: int) -> None:
    """Refuse a dump that would not come to its end: criu waits for that of *pid*, the container's first process.

    Raises:
        OciError: the kernel would keep it from ending, and does so a moment later, too.
    """
    deadline = time.monotonic() + _SECONDS
    while reason := unreaped(pid):
        if time.monotonic() > deadline:
            raise OciError(f"{reason}; let it do so, or use --leave-running")
        time.sleep(_SECONDS / 20)


def dump(context: Context, given: Given, container: Container, directories: Directories) -> None:
    """Have criu write the image of *container*.

    Raises:
        OciError: it cannot; the container goes on.
    """
    config: Json = context.store.config(container.id)
    fields = request.common(given, container.annotations, *directories.inherited, _LOG, version())
    freezer = fs.directory(container.place.path) if manager.is_own(container.place) else ""
    kept, external, streams = _outside(config, container, terminals=given.has("shell-job"))
    fields += request.of_dump(given, container.pid, freezer, external)
    kind = wire.PRE_DUMP if given.has("pre-dump") else wire.DUMP
    write_whole(f"{directories.images}/{DESCRIPTORS}", dumps(streams).encode(), 0o600)
    write_whole(f"{directories.images}/{MOUNTS}", dumps(kept).encode(), 0o600)
    os.umask(0o022)  # the root of a user namespace is to read the files; their directory is root's alone
    worker = Worker(directories.inherited)
    try:
        answer = worker.ask(kind, fields, lambda script, pid, fd: None)
    finally:
        worker.end()
    if not answer.success:
        raise OciError(f"criu cannot dump container {container.id}: {directories.why(answer.message)}")


def _outside(config: Json, container: Container, *, terminals: bool) -> tuple[Json, list[str], list[str]]:
    """What of the container is not its own: what to keep of mounts, what criu is told, and the streams to keep.

    *terminals* is whether a stream may be a terminal of others.
    """
    process = f"/proc/{container.pid}"
    found = mounts.parse(read_file(f"{process}/mountinfo"))
    behind = mounts.sources(config, container.bundle, container.rootfs)
    named = [take(entry, "destination", str) for entry in take(config, "mounts", list)]
    masked = _points(process, take(take(config, "linux", dict), "maskedPaths", list), found)
    spaces = namespaces.parse(take(config, "linux", dict))
    outside = mounts.outside(
        {name: os.path.realpath(path) for name, path in behind.items()},
        _points(process, named, found),
        list(masked.values()),
        found,
        mounts.parse(read_file("/proc/self/mountinfo")),
        users=spaces.has("user"),
    )
    request.refuse_joined([kind for kind, _ in spaces.joined])
    external = request.external_at_dump(
        outside, [(kind, os.stat(f"{process}/ns/{kind}").st_ino) for kind, _ in spaces.joined]
    )
    streams = []
    for number in range(3):
        said, key = _stream(process, number, [mount.id for mount in found], terminals)
        external += [said] if said else []
        streams.append(key)
    kept = {
        "outside": [[mount.point, mount.destination, mount.below] for mount in outside],
        "points": [[mount.point, os.path.isdir(f"{process}/root{mount.point}")] for mount in mounts.on_root(found)],
    }
    return kept, list(dict.fromkeys(external)), streams


def _points(process: str, paths: Sequence[str], found: Sequence[mounts.Mount]) -> dict[str, str]:
    """Where in the container each of *paths* is mounted, links in them followed as the container has them."""
    points = {mount.id: mount.point for mount in found}
    result = {}
    root = os.open(f"{process}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for path in paths:
        try:
            fd = linux.openat2(root, path.lstrip("/"), os.O_PATH, linux.RESOLVE_IN_ROOT)
        except OSError:
            continue  # it is masked or mounted only where it is there
        result[path] = points.get(_mount_id(f"/proc/self/fdinfo/{fd}"), "")
        os.close(fd)
    os.close(root)
    return result


def _stream(process: str, number: int, inside: Sequence[int], terminals: bool) -> tuple[str, str]:
    try:
        link, status = os.readlink(f"{process}/fd/{number}"), os.stat(f"{process}/fd/{number}")
        terminal = request.terminal_key(status.st_rdev, status.st_dev) if terminals else ""
        return request.stream(link, _mount_id(f"{process}/fdinfo/{number}"), status.st_ino, inside, terminal)
    except FileNotFoundError:
        return "", ""  # it is closed


def _mount_id(path: str) -> int:
    return next(int(line.split()[1]) for line in read_file(path).splitlines() if line.startswith("mnt_id:"))
