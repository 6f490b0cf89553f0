"""systemd's own tools on containers do what somebody who knows systemd expects."""

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from waiting import wait_until

TALKER = """
trap 'echo was asked to end; exit 0' TERM
trap 'echo got USR1' USR1
echo hello from $$
echo end >/tmp/report
while :; do sleep 0.2; done
"""


@pytest.fixture(scope="module")
def talker(shared, program):
    """A container that says something, and answers to signals."""
    container = shared.start(program(TALKER))
    container.report()
    return container


def commands(cgroups):
    """Return the names of the processes in some cgroups."""
    names = []
    for pid in [pid for cgroup in cgroups for pid in (cgroup / "cgroup.procs").read_text().split()]:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
    return names


def journal(run, *words):
    entries = run("journalctl", "--output=json", "--quiet", *words).stdout.splitlines()
    return [json.loads(entry) for entry in entries]


def test_status_and_tree(talker, run):
    shown = run("systemctl", "status", "--no-pager", "--full", talker.service).stdout
    assert f"● {talker.service} - Container {talker.name}\n" in shown
    assert "Active: active (running)" in shown
    assert f"CGroup: /nsunit.slice/{talker.slice}/{talker.service}\n" in shown
    assert f"{talker.pid} /bin/sh /program" in shown
    tree = run("systemd-cgls", "--no-pager", "--unit", talker.slice).stdout
    assert talker.service in tree
    assert "payload" in tree


def test_properties_are_what_was_asked_for(talker):
    assert talker.show(
        *("MainPID", "Type", "Slice", "KillMode", "Delegate", "OOMPolicy", "DevicePolicy", "SyslogIdentifier"),
        *("FragmentPath", "ActiveState", "SubState", "Result", "TasksMax"),
    ) == {
        "MainPID": str(talker.pid),
        "Type": "notify",
        "Slice": talker.slice,
        "KillMode": "mixed",
        "Delegate": "yes",
        "OOMPolicy": "kill",
        "DevicePolicy": "closed",
        "SyslogIdentifier": talker.name,
        "FragmentPath": f"/run/systemd/transient/{talker.service}",
        "ActiveState": "active",
        "SubState": "running",
        "Result": "success",
        "TasksMax": "infinity",  # the slice has the limit
    }


def test_journal_has_what_the_program_says(talker, run):
    wait_until(lambda: any(entry["MESSAGE"] == "hello from 1" for entry in journal(run, f"--unit={talker.service}")))
    (entry,) = journal(run, f"--identifier={talker.name}", "--lines=1")
    assert entry["_SYSTEMD_UNIT"] == talker.service
    assert entry["_SYSTEMD_SLICE"] == talker.slice
    assert entry["_SYSTEMD_CGROUP"] == f"/nsunit.slice/{talker.slice}/{talker.service}/payload"
    assert entry["_UID"] == talker.proc("uid_map").split()[1]


@pytest.mark.machine("controllers")
def test_cgtop_shows_slice_and_service(talker, run):
    shown = run("systemd-cgtop", "--batch", "--iterations=2", "--delay=1", "--depth=4").stdout.splitlines()
    lines = {line.split()[0]: line.split()[1:] for line in shown if line}
    assert f"nsunit.slice/{talker.slice}" in lines
    tasks, _, memory, *_ = lines[f"nsunit.slice/{talker.slice}/{talker.service}"]
    assert int(tasks) >= 1
    assert memory != "-"


def test_a_signal_by_systemctl_kill(talker, run):
    run("systemctl", "kill", "--kill-whom=main", "--signal=USR1", talker.service)
    wait_until(lambda: any(entry["MESSAGE"] == "got USR1" for entry in journal(run, f"--identifier={talker.name}")))


@pytest.mark.parametrize("command", ["daemon-reload", "daemon-reexec"])
def test_a_running_container_is_left_alone_by(talker, run, nsunit, command):
    seen = ("MainPID", "InvocationID", "ActiveState", "ExecMainStartTimestamp", "TasksMax", "DevicePolicy", "NRestarts")
    before = talker.show(*seen), talker.pid, talker.proc("cgroup"), talker.limit("pids.max")
    run("systemctl", command)
    wait_until(lambda: run("systemctl", "show", "--property=Version", check=False).returncode == 0)
    assert (talker.show(*seen), talker.pid, talker.proc("cgroup"), talker.limit("pids.max")) == before
    assert nsunit("start", talker.name).stdout == f"{talker.name}: is already running\n"
    assert talker.exec("echo", "still here").stdout == "still here\n"


def test_restart(containers, program, run):
    container = containers.start(program(TALKER))
    container.report()
    first = container.show("InvocationID"), container.proc("uid_map")
    run("systemctl", "restart", container.service)
    container.report()
    second = container.show("InvocationID"), container.proc("uid_map")
    assert first[0] != second[0]
    assert first[1] == second[1]
    assert container.show("ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}


@pytest.mark.kernel("nftables")
@pytest.mark.once("the limit on starts is systemd's oldest")
def test_starts_as_often_as_its_own_limit_allows(containers, nsunit, run):
    """What starts and stops with it has systemd's default limit otherwise, of five starts in ten seconds."""
    network, group = containers.own("often"), containers.own("oftener")
    definitions = [Path(f"/etc/nsunit/{network}.network.nsunit"), Path(f"/etc/nsunit/{group}.slice.nsunit")]
    definitions[0].write_text("[Network]\nDNS=yes\n")
    definitions[1].write_text("[Slice]\nTasksMax=300\n")
    told = "import os, socket, time; place = os.environ['NOTIFY_SOCKET'];"
    told += " socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', place); time.sleep(1000)"
    keys = ("Rootfs=/srv/roots/debian", "Volatile=yes", "Notify=yes", f"Network={network}", f"Slice={group}")
    check = ("Health=/bin/true", "StopSignal=SIGKILL", f'Exec=/usr/bin/python3 -c "{told}"')
    name = containers.define("\n".join(("[Container]", *keys, *check, "[Unit]", "StartLimitIntervalSec=0", "")))
    container = containers.of(name)
    try:
        nsunit("enable", name)
        for _ in range(6):
            run("systemctl", "start", container.service)
            run("systemctl", "stop", container.service)
        run("systemctl", "start", container.service)
        beside = [f"nsunit-sd-notify@{name}.socket", f"nsunit-names@{network}.service", f"nsunit-{name}-health.timer"]
        beside += [
            line.split()[0]
            for line in run(
                "systemctl", "list-units", "--plain", "--no-legend", "--all", "nsunit-limits@*"
            ).stdout.splitlines()
        ]
        assert len(beside) > 3
        assert {unit: container.show("ActiveState", unit=unit)["ActiveState"] for unit in beside} == dict.fromkeys(
            beside, "active"
        )
    finally:
        nsunit("disable", "--now", name)
        for path in definitions:
            path.unlink()


def test_stop_of_the_service_leaves_nothing_behind(containers, program, run, nsunit):
    container = containers.start(program(TALKER))
    container.report()
    run("systemctl", "stop", container.service)
    wait_until(lambda: not container.cgroup.exists())  # the slice goes by itself when it is empty
    assert [item for item in containers.left() if not item.startswith("/var/lib/")] == []
    assert "was asked to end" in [entry["MESSAGE"] for entry in journal(run, f"--identifier={container.name}")]
    assert nsunit("status", container.name, check=False).returncode == 3


def test_stop_of_the_slice_takes_exec_sessions_along(containers, program, run):
    container = containers.start(program(TALKER))
    words = ("nsunit", "exec", container.name, "sleep", "1000")
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as session:
        # The scope is there before what is to run in it.
        wait_until(lambda: "sleep" in commands(container.cgroup.glob("*-exec-*.scope")))
        run("systemctl", "stop", container.slice)
        assert session.wait(60) == 128 + 15
    wait_until(lambda: not container.cgroup.exists())
    assert [item for item in containers.left() if not item.startswith("/var/lib/")] == []


def is_connected(pid):
    with suppress(FileNotFoundError):  # one that is closed meanwhile
        fds = [entry for entry in Path(f"/proc/{pid}/fd").iterdir() if int(entry.name) > 2]
        return any(os.readlink(entry).startswith("socket:") for entry in fds)
    return False


def test_the_exit_status_arrives(containers, program, nsunit):
    until_told = "until test -e /tmp/end; do sleep 0.2; done"
    ends = {status: containers.start(program(f"{until_told}; exit {status}")) for status in (0, 42)}
    waiting = {
        status: subprocess.Popen(["nsunit", "wait", container.name], stdout=subprocess.PIPE, text=True)
        for status, container in ends.items()
    }
    for status, process in waiting.items():
        wait_until(lambda pid=process.pid: is_connected(pid), "its connection to systemd")
        time.sleep(1)  # it has asked by then
        (ends[status].root / "tmp/end").touch()
    for status, process in waiting.items():
        with process:
            assert process.communicate(timeout=60)[0] == f"{ends[status].name}: exited with status {status}\n"
        assert process.returncode == (1 if status else 0)
    expected = {"ExecMainCode": "1", "ExecMainStatus": "42", "Result": "exit-code"}  # 1 is CLD_EXITED
    assert ends[42].show(*expected) == expected
    assert ends[0].show("LoadState") == {"LoadState": "not-found"}


def test_the_signal_that_ended_it_arrives(containers, program, run, nsunit):
    container = containers.start(program(TALKER))
    run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", container.service)
    ended = nsunit("wait", container.name, check=False)
    assert (ended.returncode, ended.stdout) == (1, f"{container.name}: was killed by SIGKILL\n")
    expected = {"ExecMainCode": "2", "ExecMainStatus": "9", "Result": "signal", "ActiveState": "failed"}
    assert container.show(*expected) == expected
    # A failed container can be started again right away.
    nsunit("start", container.name)
    assert container.show("ActiveState") == {"ActiveState": "active"}


def test_restart_on_failure(containers, program, run):
    script = "echo started; [ -e /kept ] && { echo end >/tmp/report; exec sleep 1000; }; echo 1 >/kept; sync; exit 3"
    text = program(script, "Volatile=no", "", "[Service]", "Restart=on-failure", "RestartSec=100ms")
    name = containers.define(text)
    run("nsunit", "start", name)
    container = containers.of(name)
    wait_until(lambda: container.show("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"})
    container.report()
    assert int(container.show("MainPID")["MainPID"]) == container.pid
    assert [entry["MESSAGE"] for entry in journal(run, f"--identifier={name}")].count("started") == 2


def test_restarts_come_to_an_end(containers, program, run, nsunit):
    keys = ("[Service]", "Restart=always", "RestartSec=10ms", "[Unit]", "StartLimitBurst=2", "StartLimitIntervalSec=1h")
    name = containers.define(program("exit 1", "", *keys))
    nsunit("start", name, check=False)
    container = containers.of(name)
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "failed")
    assert container.show("NRestarts")["NRestarts"] == "2"
    # What was counted against it is forgotten when somebody starts it by hand.
    nsunit("stop", name)
    assert [item for item in containers.left() if not item.startswith("/var/lib/")] == []
