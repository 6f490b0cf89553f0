"""The facts of a host that a definition can depend on, given to the loader so that loading is deterministic."""

from __future__ import annotations

import os

from nsunit.record import Record


class Host(Record):
    """What specifiers stand for on this host, and the version of the systemd that will run the units."""

    systemd_version: int
    hostname: str = "localhost"
    machine_id: str = "00000000000000000000000000000000"
    user: str = "root"
    uid: int = 0
    home: str = "/root"
    runtime_dir: str = "/run"
    state_dir: str = "/var/lib"
    cache_dir: str = "/var/cache"


def host_facts(systemd_version: int) -> Host:
    """Return the facts of this host, for the system manager when called by root, else for the user's."""
    hostname = os.uname().nodename
    machine_id = _first_line("/etc/machine-id")
    uid = os.geteuid()
    if uid == 0:
        return Host(systemd_version, hostname, machine_id)
    import pwd  # only an unprivileged caller needs it

    entry = pwd.getpwuid(uid)
    home = os.environ.get("HOME") or entry.pw_dir
    return Host(
        systemd_version,
        hostname,
        machine_id,
        user=entry.pw_name,
        uid=uid,
        home=home,
        runtime_dir=os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}",
        state_dir=os.environ.get("XDG_STATE_HOME") or f"{home}/.local/state",
        cache_dir=os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache",
    )


def _first_line(path: str) -> str:
    """Return the first line of *path*; empty if there is no such file (`%m` then says so)."""
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip()
    except FileNotFoundError:
        return ""
