"""Attributes of a unit's delegated control group that systemd has no property for.

They are written to the unit's own group, above the root of the container's cgroup namespace: the files stay the host's
root's, and a container cannot even see them.  systemd writes only attributes it knows, so these stay as they are at
daemon-reload and daemon-reexec.  Imported by the helper only where a definition has one.
"""

from __future__ import annotations

import errno
import os

from nsunit.setup import CGROUP_ROOT
from nsunit.setup import write_file as write_file

# systemd manages the others, and never enables nor disables these (cg_enable_everywhere() in cgroup-util.c).
UNMANAGED = ("hugetlb", "misc", "rdma")


def write(group: str, attribute: str, root: str = CGROUP_ROOT) -> None:
    """Set *attribute*, `FILE=VALUE`, of *group*, a path as in /proc/self/cgroup.

    Raises:
        OSError: it cannot be; its `strerror` says why, its `filename` is FILE.
    """
    file, _, value = attribute.partition("=")
    path = f"{root}{group}/{file}"
    controller = file.partition(".")[0]
    try:
        if controller in UNMANAGED and not os.path.exists(path):
            _hand_down(controller, group, root)
        write_file(path, value)
    except OSError as error:
        raise OSError(error.errno, _reason(error, controller, file, value), file) from error


def _hand_down(controller: str, group: str, root: str) -> None:
    """Enable *controller* in all groups above *group*; a group that has it already stays as it is."""
    directory = root
    for part in group.strip("/").split("/"):
        write_file(f"{directory}/cgroup.subtree_control", f"+{controller}")
        directory = f"{directory}/{part}"


def _reason(error: OSError, controller: str, file: str, value: str) -> str:
    missing = error.errno == errno.ENOENT
    if error.errno == errno.EINVAL and error.filename.endswith("subtree_control"):
        return f"this kernel has no controller '{controller}'"
    if missing and file.startswith("cpu.uclamp."):
        return "this kernel was built without CONFIG_UCLAMP_TASK_GROUP"
    if missing and controller == "hugetlb":
        return "this machine has no huge pages of that size"
    if error.errno == errno.EINVAL and controller == "misc":
        return f"this machine has no resource '{value.split()[0]}'"
    if error.errno == errno.ENODEV and controller == "rdma":
        return f"this machine has no RDMA device '{value.split()[0]}'"
    return error.strerror or str(error)
