"""nsunit-tutorial(7): everything that it says to type is typed here, in its order.

Only programs that the machine does not have, since they need a network, have stand-ins.
"""

import pwd
import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from waiting import wait_until

PAGE = Path("/usr/share/doc/nsunit/nsunit-tutorial.7.md")
DEFINITIONS = Path("/etc/nsunit")
MACHINES = Path("/var/lib/machines")
SHARED = [Path("/srv") / name for name in ("db", "app", "app-1", "app-2", "shared")]
SEEN = Path("/srv/db/seen")
STAND_INS = Path("/srv/stand-ins")
USER = "mona"
NAMES = ("web", "db", "backup", "worker@1", "worker@2", "worker@3", "os", "app", "db-test", "front", "back")
# A root is one that is there already, that of a system the machine's own.
MMDEBSTRAP = """#!/bin/sh
for target; do :; done
case "$*" in
*.tar) exec tar -C /srv/roots/busybox -cf "$target" . ;;
*systemd-sysv*) root=/ ;;
*) root=/srv/roots/debian ;;
esac
# No peer of the machine's root: what is mounted on one would be on the other as well.
mkdir -p "$target" && mount --bind --make-private "$root" "$target"
"""
CURL = """#!/usr/bin/python3
import sys, time, urllib.error, urllib.request
for attempt in range(300):
    try:
        print(urllib.request.urlopen(sys.argv[-1]).status)
        sys.exit(0)
    except (ConnectionError, urllib.error.URLError):
        time.sleep(0.1)
sys.exit(7)
"""
# What the tasks show, by the beginning of their titles.
SHOWN = {
    "A shell": ["uid=0(root)", "typed into /bin/sh\n", "here\n"],
    "A web server": ["200\n", "Ports: ", "http.server", "web\n"],
    "More memory": ["runs as its definition says"],
    "Data on": [],
    "A job": ["Timer: nsunit-backup.timer, next ", "exited with status 0", "10240"],
    "Two that": ["200\n"],
    "Three of": ["worker@2", "worker 2"],
    "A whole system": ["active\n"],
    "What is": ["did you mean Exec=?", "it belongs in [Slice]", "'much'"],
    "Files in": ["apt/"],
    "Back up": [],
    "Another": ["one\n", "two\n"],
    "What they": ['"ready"', "http.server"],
    "A directory": ["hello\n"],
    "Limits for": ["shop.slice"],
    "Without": ["uid=0", "mine"],
    "From podman": [
        "PublishPort=8080:80",
        "NAME.nsunit",
        "LimitNOFILE=",
        "Capability=+NAME",
        "blue\n",
        "-p MemoryMax=1G",
    ],
    "Cleaning": [],
}


def tasks():
    """Title and commands of each task, the root before them with the first."""
    _, *parts = re.split(r"^## ", PAGE.read_text(), flags=re.M)
    roots = blocks(PAGE.read_text().partition("\n# TASKS")[0])
    found = [(part.partition("\n")[0], blocks(part)) for part in parts]
    return [(found[0][0], roots + found[0][1]), *found[1:]]


def blocks(text):
    """What stands indented, a text each."""
    return [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", text, re.M)]


@pytest.fixture
def typed(run):
    """Types a block of commands, as root or as a user, and returns what is shown."""
    STAND_INS.mkdir()
    for name, text in (("mmdebstrap", MMDEBSTRAP), ("curl", CURL)):
        (STAND_INS / name).write_text(text)
        (STAND_INS / name).chmod(0o755)
    run("useradd", "--create-home", USER)
    run("loginctl", "enable-linger", USER)
    entry = pwd.getpwnam(USER)
    run("systemctl", "start", f"user@{entry.pw_uid}.service")
    environment = [f"HOME={entry.pw_dir}", f"XDG_RUNTIME_DIR=/run/user/{entry.pw_uid}"]
    as_user = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]

    def type_in(block, user=False):
        words = ["env", f"PATH={STAND_INS}:/usr/bin:/usr/sbin:/bin", *(environment if user else ())]
        command = [*(as_user if user else ()), *words, "bash", "-euc", block]
        if " -ti " in block:  # what asks for a terminal gets one
            command = ["script", "--quiet", "--return", "--command", subprocess.list2cmdline(command), "/dev/null"]
        place = entry.pw_dir if user else "/root"
        keys = "exit\n" if command[0] == "script" else ""
        done = subprocess.run(command, cwd=place, input=keys, capture_output=True, text=True, timeout=120, check=False)
        return f"{done.stdout}{done.stderr}" + (f"\n{block}FAILED {done.returncode}" if done.returncode else "")

    yield type_in
    run("loginctl", "disable-linger", USER)
    run("systemctl", "stop", f"user@{entry.pw_uid}.service")
    run("userdel", "--remove", USER, check=False)  # it has no mail spool, says userdel


@pytest.fixture
def scene(containers, run):
    """Names of what the page makes; its roots and directories are gone at the end."""
    for name in NAMES:
        containers.own(name)
    containers.groups.append("shop")
    agent = DEFINITIONS / "os.nsunit.d"
    containers.files.append(agent)
    agent.mkdir(parents=True, exist_ok=True)
    masked = "/dev/null:/etc/systemd/system/test-agent.service"  # it would wait for a serial port inside
    (agent / "agent.conf").write_text(f"[Container]\nBindReadOnly={masked}\n")
    yield
    for root in (MACHINES / "debian", MACHINES / "os"):
        if root.exists():
            run("umount", "--recursive", str(root), check=False)  # a task that failed has not mounted it
            root.rmdir()
    run(
        "rm",
        "-rf",
        *map(str, SHARED),
        "/etc/credstore/db-password",
        "/tmp/ask.py",
        "/tmp/motd",
        "/tmp/db.tar",
        str(STAND_INS),
    )


@pytest.mark.kernel("nftables")
@pytest.mark.once("each verb of it has tests on all releases")
@pytest.mark.timeout(290)
def test_every_task(scene, typed):
    found = tasks()
    assert [title for title, _ in found if not any(title.startswith(known) for known in SHOWN)] == []
    assert len(found) == len(SHOWN)
    wrong = []
    for title, texts in found:
        shown = "".join(typed(text, user=title.startswith("Without")) for text in texts)
        words = next(words for known, words in SHOWN.items() if title.startswith(known))
        missing = [word for word in words if word not in shown]
        if missing or "FAILED" in shown:
            wrong.append(f"{title}: {missing}\n{shown}")
        if title.startswith("Cleaning"):
            assert not set(shown.split()) & {"no-definition", "stopped"}, shown
        if title.startswith("Data on"):
            wait_until(lambda: SEEN.exists() and SEEN.read_text() == "9\n", "what it has read of its secret")
            assert SEEN.stat().st_uid == 33
    assert not wrong, "\n".join(wrong)
    assert list(DEFINITIONS.glob("*.nsunit")) == []
