"""What a container of a user's tells the user's systemd: by the same forwarder, which may not speak for another."""

import inspect
import time

import pytest
from rootless import User, nothing_left, user
from test_neighbours import CONNECT, DEEP, FLOOD, WORDS, nested
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("nsunit and the kernel alone have to do with it")

__all__ = ["nothing_left", "user"]  # fixtures
LINES = ("Volatile=yes", "Notify=yes", *(f"Bind=/{name}:/{name}:ro" for name in ("usr", "lib", "lib64")))


class Told:
    """A container of *user* that runs the Python program *text*, and what the user's systemd knows of it."""

    def __init__(self, user: User, text: str, *more: str) -> None:
        self.user = user
        self.name = "teller"
        script = user.home / "program.py"
        script.write_text(CONNECT + text)
        user.define(self.name, *LINES, f"Bind={script}:/program.py:ro", "Exec=/usr/bin/python3 /program.py", *more)
        user.nsunit("start", self.name)

    def show(self, key: str) -> str:
        """A property of its service."""
        unit = f"nsunit-{self.name}.service"
        return self.user.run("systemctl", "--user", "show", f"--property={key}", "--value", unit).stdout.strip()

    def end(self) -> None:
        """Have nothing left of it, nor of what has listened for it."""
        self.user.nsunit("stop", "--now", self.name)
        self.user.nsunit("rm", self.name, check=False)
        listed = ("list-units", "--all", "--plain", "--no-legend", "nsunit-sd-notify@*")
        wait_until(lambda: not self.user.run("systemctl", "--user", *listed).stdout, "the end of its socket")
        assert not list((self.user.runtime / "nsunit/notify").iterdir())


@pytest.mark.parametrize("delegate", ["yes", "no"])
def test_what_the_users_systemd_is_told(user, delegate):
    told = Told(user, WORDS, "[Service]", f"Delegate={delegate}", "Restart=always", "RestartSec=0")
    expected = {"StatusText": "by one that is gone", "StatusErrno": "7", "NotifyAccess": "all"}
    before = told.show("MainPID")
    assert {key: told.show(key) for key in expected} == expected
    user.nsunit("kill", "--signal=KILL", told.name)
    wait_until(lambda: (told.show("NRestarts"), told.show("ActiveState")) == ("1", "active"), "its restart")
    assert {key: told.show(key) for key in expected} == expected
    assert told.show("MainPID") not in (before, "0")
    told.end()


def test_a_flood_of_words_to_the_users_systemd(user):
    told = Told(user, FLOOD)
    first = wait_until(lambda: int(told.show("StatusText") or 0), "its first words")
    assert user.nsunit("list").stdout.count(told.name)
    assert user.nsunit("exec", told.name, "/bin/echo", "here").stdout == "here\n"
    wait_until(lambda: int(told.show("StatusText")) > first, "more of it")
    started = int(told.show("ActiveEnterTimestampMonotonic")) / 1_000_000
    heard = int(told.show("StatusText"))
    assert heard < 60 + 11 * (time.monotonic() - started)
    told.end()


@ANYWHERE
def test_a_tree_that_a_user_has_made_deep(user, nsunit):
    """The user's verbs, and root's, answer; and it goes with the container."""
    name = user.define("deep", "Volatile=yes")
    user.nsunit("start", name)
    top = user.cgroup / f"nsunit-{name}.slice/nsunit-{name}.service/payload"
    user.run("python3", "-c", f"{inspect.getsource(nested)}\nimport os\nnested({str(top)!r}, {DEEP}, 'below')")
    for verb in ("list", "list --tree", "status {}", "ps {}", "stats --json", "doctor --check"):
        done = user.nsunit(*verb.format(name).split(), check=False)
        assert (done.returncode, done.stderr) == (0, ""), verb
        if "{}" not in verb:
            assert nsunit(*verb.split(), check=False).stderr == "", verb
    user.nsunit("stop", name)
    assert not top.exists()
    user.nsunit("rm", name)
