"""`nsunit -H`: another host, which is this one by way of a real sshd(8)."""

import json
import os
import pty
import subprocess

import pytest
from sshd import installed

pytestmark = pytest.mark.once("words go through ssh, whatever systemd is behind it")

PORT = 2222
HOST = f"root@127.0.0.1:{PORT}"
CONTAINER = "[Container]\nLayer=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000000\n"


@pytest.fixture(scope="module")
def sshd(run):
    """sshd(8) for root, with a key that the user's configuration knows."""
    with installed(run):
        run(f"mkdir -p /run/sshd && /usr/sbin/sshd -o PidFile=/run/sshd/pid -p {PORT}")
        yield
        run("kill $(cat /run/sshd/pid)")


def test_a_container_is_run_over_there(sshd, containers, nsunit):
    name = containers.define(CONTAINER)
    nsunit("-H", HOST, "start", name)
    assert json.loads(nsunit("-H", HOST, "list", "--json").stdout)[0]["name"] == name
    words = ["a b", "it's", "$HOME", "*", ""]
    code = 'for word; do echo "<$word>"; done; exit 7'
    done = nsunit("-H", HOST, "exec", name, "--", "sh", "-c", code, "sh", *words, check=False)
    assert (done.returncode, done.stdout) == (7, "".join(f"<{word}>\n" for word in words))
    copied = nsunit("-H", HOST, "exec", "-i", name, "cat", input="through\n")
    assert copied.stdout == "through\n"
    nsunit("stop", name, "-H", HOST)
    assert json.loads(nsunit("-H", HOST, "list", "--json").stdout) == []


def test_errors_and_their_status_come_back(sshd, nsunit):
    done = nsunit("-H", HOST, "start", "missing", check=False)
    here = nsunit("start", "missing", check=False)
    assert (done.returncode, done.stderr) == (here.returncode, here.stderr)
    gone = nsunit("-H", f"root@127.0.0.1:{PORT + 1}", "list", check=False)
    assert gone.returncode == 255
    assert "Connection refused" in gone.stderr


def test_a_terminal_here_is_one_there(sshd, containers, nsunit):
    name = containers.start(CONTAINER).name
    controller, terminal = pty.openpty()
    command = ["nsunit", "-H", HOST, "exec", "-ti", name, "tty"]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal), open(controller, "rb") as reader:
        os.close(terminal)
        assert reader.readline().startswith(b"/dev/pts/")
