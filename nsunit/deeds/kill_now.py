"""End all of a container at once, asking nobody: neither systemd, which may be busy, nor whoever has its lock."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import os

from nsunit.core.running import status_field
from nsunit.names import ROOT_SLICE, escape, former_units, is_slice_of, service_name
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.files import GONE
from nsunit.storage.processes import groups_in, processes_of
from nsunit.units import PAYLOAD_SUBGROUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def kill_now(control_group: str, names: Collection[str], root: str = CGROUP_ROOT) -> set[str]:
    """Kill the payloads and sessions of the containers *names*; nsunit.slice is in *control_group*, "" for the root.

    Returns those that had some.
    What systemd runs for the unit besides, such as what takes its links back, lives in other groups and goes on.
    """
    killed = set()
    groups = list(_groups(f"{root}{control_group}/{ROOT_SLICE}", names))
    # All before the first is killed: with a payload its sessions end, and no cgroup tells of those who have ended.
    for _, group in groups:
        if ".scope" in group:
            wake_parents(group)
    for name, group in groups:
        try:
            fd = os.open(f"{group}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # it has ended, or has no group of its own for the payload (Delegate=no)
            continue
        try:
            os.write(fd, b"1")
            killed.add(name)
        except OSError as error:
            if error.errno not in GONE:
                raise
        finally:
            os.close(fd)
    return killed


def wake_parents(group: str) -> None:
    """Have those go on that wait for a session in the cgroup *group*, and were stopped themselves (Ctrl-Z, SIGSTOP).

    What has ended in a PID namespace stays until its parent has waited for it, who is outside here, and so long the
    container's process 1 cannot end.
    """
    for _, directory in groups_in(group):
        for pid in processes_of(directory):
            parent = status_field(pid, "PPid")
            if not parent or parent == "0" or not (status_field(int(parent), "State") or "").startswith("T"):
                continue
            try:
                pidfd = os.pidfd_open(int(parent))
            except ProcessLookupError:
                continue
            try:
                if status_field(pid, "PPid") == parent:  # so it has been that one all the time
                    _signal.pidfd_send_signal(pidfd, _signal.SIGCONT)
            except (ProcessLookupError, PermissionError):
                continue  # it has ended; another user's
            finally:
                os.close(pidfd)


def _groups(top: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The cgroups with the processes of containers *names*, each with its name; slices may be in those of groups."""
    slices = [top]
    while slices:
        directory = slices.pop()
        try:
            entries = os.listdir(directory)
        except OSError as error:
            if error.errno not in GONE:
                raise
            continue
        slices += [f"{directory}/{entry}" for entry in entries if entry.endswith(".slice")]
        for name in names:
            if not is_slice_of(os.path.basename(directory), name):
                continue
            foreground, session = (f"nsunit-{escape(name)}-{purpose}-" for purpose in ("run", "exec"))
            for entry in entries:
                if entry in (service_name(name), *former_units(name)) or entry.startswith(foreground):
                    yield name, f"{directory}/{entry}/{PAYLOAD_SUBGROUP}"
                elif entry.startswith(session):
                    yield name, f"{directory}/{entry}"
