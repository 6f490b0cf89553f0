"""The host's files and directories that a definition names."""

from __future__ import annotations

import os
import stat

from nsunit.errors import DefinitionError, Problem
from nsunit.features import hooks
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition


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
        f"{'BindReadOnly' if bind.read_only else 'Bind'}=: '{bind.source}' does not exist"
        for bind in container.binds
        if not bind.optional and not os.path.lexists(bind.source)
    ]
    for missing in hooks(container.features, "deeds.missing_sources"):
        mistakes += missing(container)
    problems = [Problem(definition.name, 0, mistake, _hint(mistake)) for mistake in mistakes]
    if not mistakes and container.rootfs and not (container.read_only or container.volatile):
        problems += _exposed_root(definition.name, container.rootfs)
    if problems:
        raise DefinitionError(problems)


def automounts() -> tuple[str, ...]:
    """The mount points on the host where autofs mounts what is asked for, proc_pid_mountinfo(5)."""
    lines = (read_kernel_file("/proc/self/mountinfo") or "").splitlines()
    points = (line.split(" ")[4] for line in lines if " - autofs " in line)
    return tuple(dict.fromkeys(point.replace("\\040", " ") for point in points))


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
    """Where a root comes from, if that is what is missing."""
    is_root = mistake.startswith(("Rootfs=", "Layer=")) and mistake.endswith("does not exist")
    return "mmdebstrap can make it a root, see nsunit-tutorial(7)" if is_root else None


def _directory_mistake(path: str) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return f"'{path}': {error.strerror}" if error.errno != 2 else f"'{path}' does not exist"
    return None if stat.S_ISDIR(mode) else f"'{path}' is not a directory"
