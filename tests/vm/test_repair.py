"""What is lost of links is found and put back, and whoever changes them waits for his turn."""

import os
import subprocess
import time
from pathlib import Path

from waiting import wait_until

from nsunit.network import run as program

BUSYBOX = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/nc -ll -p 80 -e /bin/hostname\n"
LOCKS = "/run/nsunit/locks"
START_SECONDS, STOP_SECONDS = 12, 8


def shell(line):
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout


def traces():
    """The links of containers, and the names of their chains."""
    words = {word.strip('"') for word in shell("nft list ruleset").split()}
    links = [path.name for path in Path("/sys/class/net").iterdir()]
    return sorted(name for name in links if name.startswith("nv-")), sorted(
        word for word in words if word.startswith("nv-")
    )


def waiting():
    """PIDs of those who wait for the lock on the host's links."""
    number = f":{os.stat(f'{LOCKS}/{program.LOCK}').st_ino}"
    rows = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return sorted(row[5] for row in rows if row[1] == "->" and row[6].endswith(number))


def test_a_turn_that_comes_late_is_waited_for(containers, nsunit, run):
    """Both its start and its end take longer than systemd would give them by itself."""
    before = traces()
    ending = containers.start(BUSYBOX + f"Network=bridge\n[Service]\nTimeoutStopSec={STOP_SECONDS}s\n")
    starting = containers.define(BUSYBOX + f"Network=bridge\n[Service]\nTimeoutStartSec={START_SECONDS}s\n")
    with program.locked(LOCKS):
        run("systemctl", "kill", "--signal=KILL", ending.service)
        start = subprocess.Popen(["nsunit", "start", starting])
        wait_until(lambda: len(waiting()) == 2, "both wait")
        found = waiting()
        time.sleep(START_SECONDS + 1)
        assert waiting() == found
    assert start.wait(120) == 0
    wait_until(lambda: ending.show("ActiveState")["ActiveState"] == "failed", "its end")
    assert ending.show("Result")["Result"] == "signal"
    nsunit("stop", starting)
    assert traces() == before
