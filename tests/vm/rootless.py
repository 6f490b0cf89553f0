"""A user without privileges, who runs containers on a systemd of their own."""

import contextlib
import pwd
import shutil
from pathlib import Path

import pytest
from counts import PATIENCE
from warm import Warm

USER = "lea"
KEYS = ("Layer={layer}", "Exec=/bin/sh -c 'trap exit TERM; while :; do sleep 1000 & wait $!; done'")


class User:
    def __init__(self, run):
        entry = pwd.getpwnam(USER)
        self.uid, self.home = entry.pw_uid, Path(entry.pw_dir)
        self.unit = f"user@{self.uid}.service"
        self.runtime = Path(f"/run/user/{self.uid}")
        self.cgroup = Path(f"/sys/fs/cgroup/user.slice/user-{self.uid}.slice/{self.unit}/nsunit.slice")
        self.containers = self.home / ".local/state/nsunit/containers"
        self.layer = self.home / "layer"
        self.subordinate = next(
            int(line.split(":")[1]) for line in Path("/etc/subuid").read_text().splitlines() if line.startswith(USER)
        )
        self.environment = {"HOME": str(self.home), "USER": USER, "PATH": "/usr/bin:/bin"}
        self.environment["XDG_RUNTIME_DIR"] = str(self.runtime)
        self.words = ("setpriv", f"--reuid={self.uid}", f"--regid={entry.pw_gid}", "--init-groups", "env", "-i")
        self.words += tuple(f"{name}={value}" for name, value in self.environment.items())
        self._run = run
        self.warm = Warm(self.words)

    def run(self, *words, **options):
        return self._run(*self.words, *words, **options)

    def nsunit(self, *words, check=True, input="", timeout=120):
        words = ("--user", *map(str, words))
        given = {"env": self.environment, "cwd": str(self.home)}
        done = self.warm.run(words, text=input, timeout=timeout * PATIENCE, **given)
        if check and done.returncode:
            pytest.fail(f"{words} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def exec(self, name, script, *options):
        return self.nsunit("exec", *options, name, "/bin/sh", "-c", script).stdout

    def define(self, name, *lines):
        directory = self.home / ".config/nsunit"
        self.run("mkdir", "-p", directory)
        text = "\n".join(("[Container]", *KEYS, *lines, "")).format(layer=self.layer)
        (directory / f"{name}.nsunit").write_text(text)
        return name

    def programs(self, name):
        """The names of the processes in a container's service."""
        groups = (self.cgroup / f"nsunit-{name}.slice/nsunit-{name}.service").rglob("cgroup.procs")
        pids = [pid for group in groups for pid in group.read_text().split()]
        found = []
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.append(Path(f"/proc/{pid}/comm").read_text())
        return found

    def left(self):
        """Whatever is still there of any container."""
        units = self.run("systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", "nsunit-*").stdout
        places = (self.runtime / "nsunit/containers", self.runtime / "nsunit/locks", self.containers, self.cgroup)
        found = [str(path) for place in places if place.exists() for path in place.iterdir() if path.is_dir()]
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "nsunit/containers" in line]
        # What limits were watched with, and what checks health, goes in its own time.
        own = ("nsunit-limits", "-health.service loaded activating")
        return [*(line for line in units.splitlines() if not any(text in line for text in own)), *found, *mounts]


@pytest.fixture(scope="module")
def user(run):
    """A user whose systemd runs without a login, with a layer of their own."""
    run("useradd", "--create-home", "--groups", "systemd-journal", USER)
    run("loginctl", "enable-linger", USER)
    found = User(run)
    run("systemctl", "start", found.unit)
    shutil.copytree("/srv/roots/busybox", found.layer, symlinks=True)
    run("chown", "-R", f"{USER}:", str(found.layer))
    yield found
    found.warm.close()
    run("loginctl", "disable-linger", USER)
    run("systemctl", "stop", found.unit)
    shutil.rmtree(f"/etc/systemd/system/{found.unit}.d", ignore_errors=True)  # by nsunit it would take a reload
    run("userdel", "--remove", USER, check=False)  # it has no mail spool, says userdel


@pytest.fixture(autouse=True)
def nothing_left(user):
    """Nothing may be left of a test's containers."""
    yield
    left = user.left()
    if left:  # the next test is to fail for reasons of its own
        user.run("systemctl", "--user", "stop", "nsunit.slice", check=False)
        shutil.rmtree(user.containers, ignore_errors=True)
    assert left == [], left


def foreground(user, script, *properties, **options):
    lines = [f"--property={line}" for line in (f"Layer={user.layer}", *properties)]
    return user.nsunit("run", *lines, "--", "/bin/sh", "-c", script, **options)
