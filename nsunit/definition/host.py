"""The facts of a host that a definition can depend on, given to the loader so that loading is deterministic."""

from __future__ import annotations

import os

from nsunit.definition import read_regular
from nsunit.errors import NsunitError
from nsunit.names import base_directory
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable


class Account(Record):
    """A user of the host, with the subordinate ids `(start, count)` that subuid(5) and subgid(5) give."""

    name: str
    uid: int
    gid: int
    uids: tuple[tuple[int, int], ...] = ()
    gids: tuple[tuple[int, int], ...] = ()


def _nobody(_name: str) -> Account | None:
    return None


class Host(Record):
    """What specifiers stand for on this host, and the version of the systemd that will run the units.

    *find_user* looks up a user by name or number; few definitions name one.
    """

    systemd_version: int
    hostname: str = "localhost"
    machine_id: str = "00000000000000000000000000000000"
    user: str = "root"
    uid: int = 0
    home: str = "/root"
    runtime_dir: str = "/run"
    state_dir: str = "/var/lib"
    cache_dir: str = "/var/cache"
    find_user: Callable[[str], Account | None] = _nobody
    is_meant: bool = False  # another systemd than this machine's: `render --for`

    @property
    def has(self) -> str:
        """Which version it is, as the end of a message."""
        return f"{'it is for' if self.is_meant else 'this machine has'} {self.systemd_version}"


def host_facts(systemd_version: int) -> Host:
    """Return the facts of this host, for the system manager when called by root, else for the user's."""
    hostname = os.uname().nodename
    machine_id = _first_line("/etc/machine-id")
    uid = os.geteuid()
    if uid == 0:
        return Host(systemd_version, hostname, machine_id, find_user=find_user)
    entry = _entry(uid)
    home = home_of(dict(os.environ), uid)
    return Host(
        systemd_version,
        hostname,
        machine_id,
        user=entry.pw_name,
        uid=uid,
        home=home,
        runtime_dir=base_directory(os.environ, "XDG_RUNTIME_DIR", f"/run/user/{uid}"),
        state_dir=base_directory(os.environ, "XDG_STATE_HOME", f"{home}/.local/state"),
        cache_dir=base_directory(os.environ, "XDG_CACHE_HOME", f"{home}/.cache"),
        find_user=find_user,
    )


def home_of(environ: dict[str, str], uid: int) -> str:
    """The home of user *uid*, as systemd finds it: $HOME where that is a path from the root, else of /etc/passwd."""
    home = environ.get("HOME", "")
    return home if home.startswith("/") else _entry(uid).pw_dir


def _entry(uid: int) -> pwd.struct_passwd:
    import pwd  # only an unprivileged caller needs it

    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise NsunitError(f"there is no user {uid} on this host", hint="'getent passwd' lists those that are") from None


def find_user(text: str) -> Account | None:
    """The user of this host whose name or number *text* is."""
    import pwd  # few callers and definitions need it

    from nsunit.subordinate import FILES, ranges_of  # few definitions name a user

    try:
        entry = pwd.getpwuid(int(text)) if text.isascii() and text.isdigit() else pwd.getpwnam(text)
    except (KeyError, OverflowError, ValueError):  # ValueError: it has thousands of digits
        return None
    uids, gids = (ranges_of(_content(path), entry.pw_name, entry.pw_uid) for path in FILES)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, uids, gids)


def _content(path: str) -> str:
    try:
        return read_regular(path).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _first_line(path: str) -> str:
    """Return the first line of *path*; empty if there is no such file (`%m` then says so)."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except FileNotFoundError:
        return ""
