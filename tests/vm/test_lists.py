"""Patterns of names, reload, and what lists look like."""

import json
import subprocess

import pytest
from waiting import wait_until

BUSYBOX = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\n"
SLEEPER = BUSYBOX + "Exec=/bin/sleep 100000\n"


def version():
    return int(subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1])


def states(nsunit, pattern):
    return dict(line.split()[:2] for line in nsunit("list", "--all", "--no-headings", pattern).stdout.splitlines())


def test_verbs_take_patterns(containers, nsunit):
    name = containers.define(SLEEPER, name=containers.own("web@"))
    one, two, other = (f"{name}{end}" for end in ("1", "2", "x1"))
    for instance in (one, two, other):
        nsunit("start", containers.own(instance))
    pattern = f"{name}[12]"
    nsunit("pause", pattern)
    assert states(nsunit, f"{name}*") == {one: "paused", two: "paused", other: "active"}
    nsunit("resume", pattern)
    assert states(nsunit, f"{name}*") == dict.fromkeys((one, two, other), "active")
    nsunit("stop", pattern)
    assert states(nsunit, f"{name}*").get(other) == "active"
    assert nsunit("list", f"{name}*").stdout.startswith("NAME\tSTATE\t")
    assert nsunit("list", "--names", pattern).stdout == ""
    done = nsunit("stop", pattern)
    assert done.stderr == f"nsunit: '{pattern}' matches none of the containers that 'nsunit list' shows\n"
    nsunit("stop", f"{name}*")
    assert nsunit("cat", f"{name[:-2]}?@").stdout.splitlines()[1:] == SLEEPER.splitlines()


# On SIGHUP its process 1 counts in the title of its own root.
COUNTING = (
    BUSYBOX
    + """Exec=/bin/sh -c 'trap "echo again >> /tmp/report" HUP; echo up > /tmp/report; while :; do sleep 0.1; done'
[Service]
"""
)


def test_reload_runs_what_the_unit_says(containers, nsunit, run):
    web = containers.start(COUNTING + "ExecReload=/bin/kill -HUP $MAINPID\n")
    wait_until(lambda: "up" in web.exec("cat", "/tmp/report").stdout, "the program is up")
    for read in ("up\nagain\n", "up\nagain\nagain\n"):
        nsunit("reload", f"{web.name[:-1]}?")
        wait_until(lambda: web.exec("cat", "/tmp/report").stdout == read, "the program has read its settings again")  # noqa: B023
        run("systemctl", "daemon-reload")
    broken = containers.start(SLEEPER + "[Service]\nExecReload=/bin/false\n")
    done = nsunit("reload", broken.name, check=False)
    assert (done.returncode, "the reload ended as 'failed'" in done.stderr) == (1, True), done.stderr
    assert broken.show("ActiveState") == {"ActiveState": "active"}
    nsunit("stop", broken.name)
    without = containers.start(SLEEPER)
    done = nsunit("reload", without.name, broken.name, check=False)
    assert f"{without.name}: it runs without ExecReload= and ReloadSignal=" in done.stderr
    assert f"{broken.name}: it is not running" in done.stderr


TELLING = r"""
import os, signal, socket, time
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.connect(os.environ["NOTIFY_SOCKET"])
times = 0
def again(*_):
    global times
    times += 1
    link.send(b"RELOADING=1\nMONOTONIC_USEC=%d" % (time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))
    open("/tmp/report", "w").write(f"{times}\n")
    link.send(b"READY=1")
signal.signal(signal.SIGUSR2, again)
link.send(b"READY=1")
while True:
    signal.pause()
"""


def test_reload_waits_for_a_program_that_tells_when_it_has_reloaded(containers, nsunit, workplace):
    program = workplace / "telling.py"
    program.write_text(TELLING)
    lines = f"BindReadOnly={program}:/program.py\nExec=/usr/bin/python3 /program.py\nNotify=yes\n"
    text = f"[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\n{lines}[Service]\nReloadSignal=SIGUSR2\n"
    if version() < 253:
        done = nsunit("start", containers.define(text), check=False)
        assert "ReloadSignal needs systemd 253" in done.stderr
        return
    web = containers.start(text)
    for times in ("1\n", "2\n"):
        nsunit("reload", web.name)
        assert web.exec("cat", "/tmp/report").stdout == times
    assert web.show("Type") == {"Type": "notify-reload"}


@pytest.mark.kernel("nftables")
def test_what_a_list_tells_of_a_container(containers, nsunit, run):
    web = containers.start(SLEEPER.replace("Exec=", "Network=bridge\nPublishPort=8099:80\nExec="), name="a-b")
    (row,) = (line.split("\t") for line in nsunit("list", "--no-headings", web.name).stdout.splitlines())
    (shown,) = json.loads(nsunit("status", "--json", web.name).stdout)
    assert row[-2:] == [shown["addresses"][0].partition("/")[0], "8099/tcp→80"]
    done = run("script", "-qc", f"stty cols 60; nsunit list --no-color {web.name}", "/dev/null")
    heading, line = done.stdout.splitlines()[:2]
    assert {"NAME", "STATE", "ADDRESS", "PORTS"} <= set(heading.split()) and "TASKS" not in heading
    assert max(len(heading), len(line)) <= 60
    (process,) = (line.split("\t") for line in nsunit("ps", "--no-headings", web.name).stdout.splitlines())
    assert process[2:4] == [str(int(web.status()["Uid"].split()[0])), "root"]
    # The steps in words, and the files as they would be.
    text = nsunit("render", web.name).stdout
    assert "execute '/bin/sleep'\n" in text
    assert nsunit("render", "--unit-files", web.name).stdout in text
    # What the manual says of journalctl and dashes.
    units = run("journalctl", "-u", "nsunit-a-b", "-o", "json", "--output-fields=UNIT").stdout
    assert "nsunit-a-b.service" in units
