"""Containers of a user: who that is, and the maps of the user namespace.

They are of the user's own id alone, or made by newuidmap(1) and newgidmap(1).
"""

from __future__ import annotations

from nsunit.oci.errors import OciError
from nsunit.setup import read_file, write_file
from nsunit.setup import system as os

_ALL_IDS = "0 0 4294967295"
_ROOTS_OWN = "/run/user/0"
_DIRECTORIES = ("/usr/bin", "/bin", "/usr/local/bin")


def is_users() -> bool:
    """Whether the containers are a user's: their state is in the user's place, their scopes are the user's manager's.

    An engine of a user calls the runtime as root of a user namespace; a machine in a container has a root of its own,
    who has that one's runtime directory, if any.
    """
    if os.geteuid():
        return True
    runtime = os.variables.get("XDG_RUNTIME_DIR") or ""
    return runtime.startswith("/") and runtime != _ROOTS_OWN and is_in_user_namespace()


def is_in_user_namespace() -> bool:
    """Whether the runtime itself is in a user namespace, where no nodes can be made."""
    return " ".join(read_file("/proc/self/uid_map").split()) != _ALL_IDS


def is_host_root() -> bool:
    """Whether the caller is the root that nobody has mapped."""
    return os.geteuid() == 0 and not is_in_user_namespace()


def write_maps(pid: int, uid_map: str, gid_map: str) -> None:
    """Write both maps of process *pid*'s namespace.

    Raises:
        OciError: a helper is missing or refuses it.
    """
    for name, text, own in (("uid", uid_map, os.geteuid()), ("gid", gid_map, os.getegid())):
        lines = text.splitlines()
        if len(lines) == 1 and lines[0].split()[1:] == [str(own), "1"]:
            if name == "gid":
                write_file(f"/proc/{pid}/setgroups", "deny")
            write_file(f"/proc/{pid}/{name}_map", text)
        else:
            _helper(f"new{name}map", pid, text)


def _helper(program: str, pid: int, text: str) -> None:
    path = next((f"{place}/{program}" for place in _DIRECTORIES if os.exists(f"{place}/{program}")), "")
    if not path:
        raise OciError(f"{program}(1) is not there, which a map of several ids needs: install uidmap")
    words = text.split()
    child = os.posix_spawn(path, (program, str(pid), *words), {})
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise OciError(f"{program} {pid} {' '.join(words)} failed with status {status}")
