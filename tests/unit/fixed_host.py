"""`nsunit` as its own command line runs it, on a host whose every fact is fixed: the same bytes on every machine.

What nsunit asks the system for is answered here, so that only this file knows where that is asked.  The host's files
are in a directory of their own, *root*: definitions in `/etc/nsunit` or alice's, sources in `/srv`, and the few of the
system that a definition can depend on.  In what is printed *root* is nothing, so the paths are those of a real host.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import nsunit
from nsunit.cli import main as cli
from nsunit.cli import warn
from nsunit.cli.verbs import Invocation
from nsunit.core import limits
from nsunit.core.context import Context
from nsunit.deeds import verify
from nsunit.deeds.look import why
from nsunit.definition.host import Account, Host
from nsunit.definition.search import SearchPath, user_search_path
from nsunit.plan import units
from nsunit.storage.paths import Paths, user_paths

SYSTEMD = 257
ALICE = Account("alice", 1000, 1000, ((200000, 65536),), ((200000, 65536),))
CGROUP = "/user.slice/user-1000.slice/user@1000.service"
HOME = "/home/alice"
# Files of the system that nsunit looks at by these names; all that begin with "#!" are programs.
FILES = {
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/subuid": "alice:200000:65536\n",
    "/etc/subgid": "alice:200000:65536\n",
    "/usr/bin/catatonit": "#!",
    "/usr/bin/newuidmap": "#!",
    "/usr/bin/newgidmap": "#!",
    "/usr/bin/pasta": "#!",
    "/usr/lib/systemd/systemd-machined": "#!",
    "/usr/lib/systemd/systemd-socket-proxyd": "#!",
    "/proc/self/mountinfo": "35 24 0:30 / /srv/auto rw - autofs systemd-1 rw\n",
    "/proc/sys/net/ipv6": "",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start": "1024\n",
    "/proc/sys/kernel/pid_max": "4194304\n",
    "/proc/sys/kernel/threads-max": "63000\n",
    "/sys/devices/system/cpu/online": "0-3\n",
    "/sys/devices/system/node/online": "0\n",
    f"/sys/fs/cgroup{CGROUP}/cgroup.controllers": "cpu memory pids\n",
}
# It finds fault with units that are called so.
ANALYZE = """#!/bin/sh
for file; do
    case $file in *faulty*) echo "$file:7: Something that only systemd finds" >&2; exit 1 ;; esac
done
"""
ROOTS = ("/srv/roots/busybox/bin/sh", "/srv/roots/debian/bin/sh")
PACKAGE = os.path.dirname(nsunit.__file__)
INSTALLED = "/usr/lib/python3/dist-packages/nsunit"
DIGEST = re.compile("seccomp/[0-9a-f]{32}")  # it depends on libseccomp, and on when the sources were written


class Bus:
    """A systemd that runs nothing of nsunit's."""

    def version(self) -> int:
        return SYSTEMD

    def connect(self) -> None:
        pass

    def features(self) -> str:
        return "+BPF_FRAMEWORK"

    def control_group(self) -> str:
        return f"{CGROUP}/init.scope"

    def get(self, _unit: str, *_names: str) -> dict[str, object]:
        return {}

    def properties(self, _unit: str) -> dict[str, object]:
        return {}

    def list_units(self, _patterns: object) -> list[object]:
        return []


class FixedHost:
    """Runs command lines of root's, or of alice's where they have `--user`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, text in FILES.items():
            self.write(path, text)
        for path in ROOTS:
            self.write(path, "")
        self.write("/bin/systemd-analyze", ANALYZE)
        self.environ = {"HOME": self.place(HOME), "XDG_RUNTIME_DIR": self.place("/run/user/1000")}
        self.systemd = SYSTEMD

    def place(self, path: str) -> str:
        """Where the host's file *path* really is."""
        return f"{self.root}{path}"

    def write(self, path: str, text: str) -> None:
        """Make a file of the host; in definitions `/srv` is the host's, too."""
        place = Path(self.place(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("/srv/", self.place("/srv/")))
        if text.startswith("#!"):
            place.chmod(0o755)

    def open_context(self, invocation: Invocation) -> Context:
        """What `Invocation.context` returns here."""
        user = invocation.flag("user")
        search = SearchPath((self.place("/etc/nsunit"), self.place("/usr/lib/nsunit")), self.place("/etc/systemd"))
        paths = Paths(self.place("/run/nsunit"), self.place("/var/lib/nsunit"))
        facts: dict[str, object] = {"find_user": {"alice": ALICE, "1000": ALICE}.get}
        if user:
            search, paths = user_search_path(self.environ), user_paths(self.environ, ALICE.uid)
            search = search.replace(
                directories=tuple(path for path in search.directories if path.startswith(f"{self.root}/"))
            )
            places = {
                "runtime_dir": "/run/user/1000",
                "state_dir": f"{HOME}/.local/state",
                "cache_dir": f"{HOME}/.cache",
            }
            facts |= {"user": "alice", "uid": ALICE.uid, "home": HOME, **places}
        context = Context(search, paths, user=user, warn=warn)
        context._bus = Bus()  # type: ignore[assignment]
        context._host = Host(self.systemd, "host", FILES["/etc/machine-id"].strip(), **facts)  # type: ignore[arg-type]
        return context

    def run(self, *words: str) -> str:
        """Run `nsunit` with these *words*: what it prints, errors last, and its status unless that is 0."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(words)
        text = out.getvalue() + err.getvalue() + (f"status {status}\n" if status else "")
        text = text.replace(str(self.root), "").replace(PACKAGE, INSTALLED)
        return DIGEST.sub("seccomp/DIGEST", text)


def _redirect(patch: pytest.MonkeyPatch, host: FixedHost) -> None:
    """Have the few files of the system looked for where this host has them."""

    def redirected(function):  # type: ignore[no-untyped-def]
        def call(path, *arguments, **options):  # type: ignore[no-untyped-def]
            return function(host.place(path) if path in FILES else path, *arguments, **options)

        return call

    for name in ("open", "stat", "access"):
        patch.setattr(os, name, redirected(getattr(os, name)))
    patch.setattr(os.path, "exists", redirected(os.path.exists))
    patch.setattr(builtins, "open", redirected(builtins.open))


@contextlib.contextmanager
def fixed_host(root: Path) -> Iterator[FixedHost]:
    """A host of that kind in the empty directory *root*."""
    host = FixedHost(root)
    machine = os.uname().machine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Invocation, "context", lambda invocation: host.open_context(invocation))
        patch.setattr(cli, "_unwind_on_signals", lambda: None)
        patch.setattr(verify, "missing_inside", lambda _context, _definition: [])  # the roots are empty
        patch.setattr(sys, "executable", "/usr/bin/python3")
        patch.setattr(os, "cpu_count", lambda: 4)
        patch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 4096, "SC_CLK_TCK": 100}.__getitem__)
        patch.setattr(os, "getegid", lambda: ALICE.gid)
        patch.setattr(os, "uname", lambda: SimpleNamespace(nodename="host", machine=machine, release="6.12.0"))
        # Each path is a disk's.
        patch.setattr(limits, "_disks_below", lambda path, _depth: (path,))
        patch.setattr(limits, "device_number", lambda path: path)
        patch.setattr(why, "disks_are_weighed", lambda: True)
        patch.setattr(why, "has_io_latency", lambda: True)
        patch.setenv("PATH", f"{host.place('/bin')}:/usr/bin:/bin")
        # The units of mounts have their paths' names, so *root* has to be away before they are made.
        of_mount, of_mounts = units.mount_unit, units._mounts_of
        patch.setattr(units, "mount_unit", lambda path, *kind: of_mount(path.removeprefix(str(root)), *kind))
        patch.setattr(units, "_mounts_of", lambda path: of_mounts(path.removeprefix(str(root))))
        for name in ("NO_COLOR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.delenv(name, raising=False)
        _redirect(patch, host)
        yield host
