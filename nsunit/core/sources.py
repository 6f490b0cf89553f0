"""The host's files and directories that a definition names."""

from __future__ import annotations

import _stat as stat  # the C half of stat
import errno
import os

from nsunit.errors import DefinitionError, Problem
from nsunit.features import hooks
from nsunit.names import unescape_octal
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition

_NO_DIRECTORY = " is not a directory"


def check_sources(definition: Definition) -> None:
    """See that every host path the definition names is there, and report all that are not.

    Raises:
        DefinitionError: some are missing, or are no directories.
    """
    container = definition.container
    directories = [("Rootfs", container.rootfs)] if container.rootfs else []
    directories += [("Layer", layer) for layer in container.layers]
    mistakes = [f"{key}=: {reason}" for key, path in directories if (reason := _directory_mistake(path))]
    mistakes += [
        f"{'BindReadOnly' if bind.read_only else 'Bind'}=: {reason}"
        for bind in container.binds
        if not bind.optional and (reason := _mistake(bind.source))
    ]
    for missing in hooks(container.features, "deeds.missing_sources"):
        mistakes += missing(container)
    problems = [Problem(definition.name, 0, mistake, _hint(mistake)) for mistake in mistakes]
    if not mistakes and container.rootfs and not (container.read_only or container.volatile):
        problems += _exposed_root(definition.name, container.rootfs)
    if problems:
        raise DefinitionError(problems)


def warn_of_foreign_binds(context: Context, definition: Definition, user_range: tuple[int, int]) -> None:
    """Tell of what is bound to be written to, and belongs to nobody inside.

    It is not id-mapped by itself: a file with the set-user-id bit that the container's root makes would be the host's
    root's, for all users of the host who can get at the directory.
    """
    start, count = user_range
    if not start or not count or context.user:
        return
    for bind in definition.container.binds:
        if bind.read_only or bind.idmap or bind.one_id or bind.owned or not os.path.isdir(bind.source):
            continue
        status = os.stat(bind.source)
        ids = range(start, start + count)
        if not (status.st_uid in ids or status.st_mode & 0o002 or (status.st_gid in ids and status.st_mode & 0o020)):
            context.warn(
                f"warning: {definition.name}: '{bind.source}' belongs to user {status.st_uid}, who is nobody inside;"
                f" with 'Bind={bind.source}:{bind.target}:idmap' what is root's on disk is root's inside, with ':U'"
                " it is given to the program"
            )


def automounts() -> tuple[str, ...]:
    """The mount points on the host where autofs mounts what is asked for, proc_pid_mountinfo(5)."""
    lines = (read_kernel_file("/proc/self/mountinfo") or "").split("\n")
    points = (line.split(" ")[4] for line in lines if " - autofs " in line)
    return tuple(dict.fromkeys(unescape_octal(point) for point in points))


def _exposed_root(name: str, rootfs: str) -> list[Problem]:
    """Refuse a root that is written to where the host's users can get at it.

    The files of the container's root belong to root on disk, so one with the set-user-id bit would make root of any
    user of the host who can execute it.  systemd keeps /var/lib/machines at 0700 for the same reason.
    """
    path = os.path.realpath(rootfs)
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        return []
    directory = os.path.dirname(path)
    while os.stat(directory).st_mode & 0o011:  # others, or a group, can pass
        if directory == "/":
            hint = "move it below /var/lib/machines, which only root can enter, or use Layer=, Volatile= or ReadOnly="
            return [
                Problem(name, 0, f"Rootfs=: '{rootfs}' is to be written to, and users of the host can enter it", hint)
            ]
        directory = os.path.dirname(directory)
    return []


def _hint(mistake: str) -> str | None:
    """Where a root comes from, if that is what is missing, and what else may be missing."""
    key, _, reason = mistake.partition("=: ")
    if key in ("Rootfs", "Layer") and reason.endswith(_NO_DIRECTORY):
        path = reason[1 : -len(_NO_DIRECTORY) - 1]
        return (
            f"'nsunit image import {path}' makes an image of it, for Image=; or mount a disk, see nsunit.container(5)"
        )
    if reason.endswith(": Permission denied"):
        path = reason[1:].rpartition("'")[0]
        return f"'namei -l {path}' shows who may pass each directory above it; its owner opens it by 'chmod o+x'"
    if not reason.endswith("does not exist"):
        return None
    if key in ("Rootfs", "Layer"):
        return "mmdebstrap can make it a root, see nsunit-tutorial(7)"
    if key in ("Bind", "BindReadOnly", "EnvironmentFile"):
        path = reason.removeprefix("'").removesuffix("' does not exist")
        return f"make it, or put a dash in front if it may be missing: {key}=-{path}"
    return None


def _mistake(path: str) -> str:
    """Why there is nothing at *path*, links not followed; empty if there is."""
    try:
        os.lstat(path)
    except OSError as error:
        return _reason(path, error)
    return ""


def _reason(path: str, error: OSError) -> str:
    return f"'{path}': {error.strerror}" if error.errno != errno.ENOENT else f"'{path}' does not exist"


def _directory_mistake(path: str) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return _reason(path, error)
    return None if stat.S_ISDIR(mode) else f"'{path}'{_NO_DIRECTORY}"
