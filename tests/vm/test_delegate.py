"""A user without privileges gets controllers delegated, and uses them."""

import json
import pwd
import time
from pathlib import Path

import pytest
from waiting import wait_until

USER = "delegatee"


@pytest.fixture(scope="module")
def user(run):
    """A user whose systemd runs, with what it has by default."""
    run("useradd", "--create-home", USER)
    found = User(pwd.getpwnam(USER).pw_uid)
    run("systemctl", "start", found.unit)
    yield found
    run("nsunit", "delegate", "--remove", USER)
    run("systemctl", "stop", found.unit)
    run("userdel", "--remove", USER, check=False)  # it has no mail spool, says userdel


class User:
    def __init__(self, uid):
        self.uid = uid
        self.unit = f"user@{uid}.service"
        self.cgroup = Path(f"/sys/fs/cgroup/user.slice/user-{uid}.slice/{self.unit}")
        self.file = Path(f"/etc/systemd/system/{self.unit}.d/delegate.conf")

    @property
    def controllers(self):
        return set((self.cgroup / "cgroup.controllers").read_text().split())

    def command(self, text):
        """A shell command as the user."""
        runtime = f"XDG_RUNTIME_DIR=/run/user/{self.uid}"
        return f"setpriv --reuid={self.uid} --regid={self.uid} --clear-groups env {runtime} {text}"


def test_the_default(user, nsunit):
    assert "io" not in user.controllers
    done = nsunit("delegate", "--check", USER)
    assert done.stdout.startswith(f"{USER} has what systemd delegates by default\n{user.unit} runs with ")


@pytest.mark.machine("controllers")
def test_delegated_and_used(user, nsunit, run, scratch_disk):
    done = nsunit("delegate", USER, "cpu", "io")
    assert user.file.read_text().endswith("[Service]\nDelegate=cpu io\n")
    assert f"{user.file} delegates cpu io to {USER}\n" in done.stdout
    assert "starts anew" in done.stdout

    found = json.loads(nsunit("delegate", "--json", "--now", USER, "cpu", "io").stdout)
    assert found["restarted"]
    assert found["missing"] == []
    assert user.controllers >= {"cpu", "io", "memory", "pids"}

    limits = f"-p CPUQuota=20% -p 'IOWriteBandwidthMax={scratch_disk} 1M'"
    run(user.command(f"systemd-run --user --unit=limited --slice=app.slice {limits} sh -c 'while :; do :; done'"))
    try:
        group = user.cgroup / "app.slice/limited.service"
        assert (group / "cpu.max").read_text() == "20000 100000\n"
        assert "wbps=1000000" in (group / "io.max").read_text()
        wait_until(lambda: "nr_throttled 0\n" not in (group / "cpu.stat").read_text(), "any throttling")
    finally:
        run(user.command("systemctl --user stop limited"))


@pytest.mark.machine("controllers")
def test_a_users_io_is_limited(user, run):
    """A limit can only make it slower, so the least time that it takes is all that is asked for."""
    home = f"/home/{USER}"
    keys = ("Rootfs=/srv/roots/busybox", "Volatile=yes", f"Bind={home}:/home", f"IOWriteBandwidthMax={home} 1M")
    words = " ".join(("nsunit --user run", *(f"-p '{key}'" for key in keys)))
    begin = time.monotonic()
    run(user.command(f"{words} dd if=/dev/zero of=/home/file bs=1M count=5 oflag=direct"))
    assert time.monotonic() - begin > 3
    run("rm", f"{home}/file")


@pytest.mark.machine("controllers")
def test_the_same_again(user, nsunit):
    before = user.file.stat().st_mtime_ns
    assert "starts anew" not in nsunit("delegate", USER, "cpu", "io").stdout
    assert user.file.stat().st_mtime_ns == before
    assert nsunit("delegate", "--check", str(user.uid)).returncode == 0


@pytest.mark.machine("controllers")
def test_what_cannot_be_delegated(user, nsunit):
    before = user.file.read_text()
    for controller in ("blkio", "hugetlb", "nothing"):
        done = nsunit("delegate", USER, controller, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(f"nsunit: '{controller}' is not a controller that can be delegated\n")
    assert nsunit("delegate", "nobody-of-that-name", check=False).returncode == 3
    assert user.file.read_text() == before


@pytest.mark.anywhere("systemd delegates it as it does the others")
@pytest.mark.machine("cpuset")
def test_processors_are_delegated(user, nsunit, run):
    found = json.loads(nsunit("delegate", "--json", "--now", USER, "cpu", "io", "cpuset").stdout)
    assert (found["restarted"], found["missing"]) == (True, [])
    assert user.controllers >= {"cpu", "cpuset", "io", "memory", "pids"}
    seen = "cat /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup)/cpuset.cpus"
    words = "systemd-run --user --pipe --wait --collect --quiet --slice=app.slice -p AllowedCPUs=0 sh -c"
    assert run(user.command(f"{words} '{seen}'")).stdout == "0\n"


def test_removed(user, nsunit):
    done = nsunit("delegate", "--remove", "--now", USER)
    assert done.stdout.startswith(f"{USER} has what systemd delegates by default\n")
    assert not user.file.parent.exists()
    assert "io" not in user.controllers
    assert nsunit("delegate", "--remove", USER).returncode == 0
