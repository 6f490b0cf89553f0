"""`top --full` and `stats --plot` on a terminal: tmux's."""

import subprocess
import uuid

import pytest
from waiting import wait_until

SLEEPER = "[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\nExec=/bin/sleep 1000\n[Slice]\nMemoryMax=64M\n"

# tmux 3.3a does not always see that what runs in it has ended, and shows an empty pane for ever.
TELLING = ("sh", "-c", '"$@"; echo "left with status $?"; exec sleep 1000', "sh")


class Terminal:
    """One of 80 columns and 30 lines, in which a command runs."""

    def __init__(self, *words):
        self.name = f"t{uuid.uuid4().hex[:6]}"
        self.tmux("new-session", "-d", "-s", "view", "-x", "80", "-y", "30", *TELLING, *words)

    def tmux(self, *words):
        done = subprocess.run(("tmux", "-L", self.name, "-f", "/dev/null", *words), capture_output=True, text=True)
        return done.stdout

    def text(self):
        return self.tmux("capture-pane", "-p", "-t", "view")

    def press(self, *keys):
        self.tmux("send-keys", "-t", "view", *keys)

    def shows(self, *texts):
        wait_until(lambda: all(text in self.text() for text in texts), f"{texts} on the screen", 20)

    def is_left(self):
        self.shows("left with status 0")


@pytest.fixture
def terminal():
    there = []

    def open_with(*words):
        there.append(Terminal("env", "TERM=screen", "LC_ALL=C.UTF-8", *words))
        return there[-1]

    yield open_with
    for item in there:
        item.tmux("kill-server")


def test_top_sorts_pauses_and_kills(containers, run, terminal):
    web = containers.start(SLEEPER, "live-web")
    other = containers.start(SLEEPER, "live-other")
    view = terminal("nsunit", "top", "--full", "--delay=0.2")
    view.shows("NAME", "CPU%", "MEMORY", "SWAP", "live-web", "live-other", "q)uit")
    for key, order in (("m", "memory"), ("p", "pressure"), ("s", "swap"), ("n", "name")):
        view.press(key)
        view.shows(f"by {order}")
    view.press("k")
    view.shows("mark a container first")
    view.press("End")  # by name the last one
    view.press("z")
    view.shows("live-web: paused")
    assert "frozen 1" in (web.cgroup / "cgroup.events").read_text()
    view.shows("paused  ")
    view.press("z")
    view.shows("live-web: resumed")
    view.press("k")
    view.shows("kill all processes of 'live-web'?")
    view.press("n")
    view.shows("q)uit")
    assert run("systemctl", "is-active", web.service).stdout == "active\n"
    view.press("k")
    view.press("y")
    view.shows("live-web: killed")
    wait_until(lambda: run("systemctl", "is-active", web.service, check=False).stdout == "failed\n")
    assert run("systemctl", "is-active", other.service).stdout == "active\n"
    view.press("q")
    view.is_left()


def test_a_plot_is_drawn(containers, nsunit, terminal):
    web = containers.start(SLEEPER.replace("/bin/sleep 1000", "/bin/sh -c 'while :; do :; done'"), "live-busy")
    view = terminal("nsunit", "stats", "--plot", "--watch=0.2", web.name)
    view.shows(web.name, "CPU ", "waiting ", "█", "q quits")
    nsunit("stop", "--now", web.name)
    view.shows(f"{web.name}  (does not run)")
    view.press("q")
    view.is_left()


def test_a_terminal_that_cannot_be_drawn_on(run):
    done = run("script", "-qec", "env TERM=nonsense nsunit top --full", "/dev/null", check=False)
    assert done.returncode == 1
    assert "the terminal 'nonsense' cannot be drawn on" in done.stdout
    assert "set TERM to what it is" in done.stdout
