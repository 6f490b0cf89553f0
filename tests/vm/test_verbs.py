"""The verbs of `nsunit` about what runs, one after the other, on real containers."""

import json
import os
import platform
import select
import subprocess
import time
from pathlib import Path

import pytest
from speaking import web
from waiting import wait_until

__all__ = ["web"]  # a fixture

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"


# start, stop, restart


def test_several_at_once(containers, nsunit):
    good = [containers.define(SLEEPER) for _ in range(2)]
    bad = containers.define(SLEEPER.replace("sleep", "/bin/missing"))
    done = nsunit("start", good[0], bad, good[1], check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"nsunit: {bad}: Failed to execute '/bin/missing': No such file or directory",
        "  hint: check Exec= against what is in the root",
    ]
    assert [containers.of(name).show("ActiveState")["ActiveState"] for name in good] == ["active"] * 2
    assert nsunit("start", *good, "--json").stdout.count('"running"') == 2
    assert nsunit("stop", *good, bad).stdout == f"{bad}: is not running\n"
    assert nsunit("stop", *good).stdout == "".join(f"{name}: is not running\n" for name in good)


def test_instances_of_a_template(containers, nsunit, run):
    text = SLEEPER + "Environment=INSTANCE=%i PREFIX=%p\nHostname=%p-%i\n"
    template = containers.define(text, "verbs-many@")
    names = [containers.own(f"{template}{instance}") for instance in ("1", "blue")]
    nsunit("start", *names)
    container = containers.of(names[1])
    printed = container.exec("sh", "-c", "echo $INSTANCE $PREFIX; hostname").stdout.splitlines()
    assert printed[0].split()[0] == "blue"
    assert printed[1].endswith("blue")
    assert run("systemctl", "is-active", "nsunit-verbs-many@blue.service").stdout == "active\n"
    listed = nsunit("list", "--names", "verbs-many@*").stdout.split()
    assert listed == names
    nsunit("stop", names[0])
    assert nsunit("list", "--names", "verbs-many@*").stdout.split() == names[1:]
    refused = nsunit("start", template, check=False)
    assert refused.returncode != 0


def test_a_start_of_what_runs(web, nsunit):
    before = web.pid
    done = nsunit("start", web.name)
    assert (done.stdout, done.stderr) == (f"{web.name}: is already running\n", "")
    definition = Path(f"/etc/nsunit/{web.name}.nsunit")
    text = definition.read_text()
    try:
        definition.write_text(text.replace("TasksMax=100", "TasksMax=101\nCPUWeight=30").replace("OWN=def", "OWN=Def"))
        done = nsunit("start", web.name)
        assert done.stdout == ""
        assert done.stderr.splitlines()[:-1] == [
            f"nsunit: {web.name}: runs with another definition than it has now",
            "  [Container] Environment: 'OWN=definition' -> 'OWN=Definition'",
            "  [Slice] CPUWeight: '' -> '30'",
            "  [Slice] TasksMax: '100' -> '101'",
        ]
        assert "[Slice] TasksMax: '100' -> '101'" in nsunit("status", web.name).stdout
        assert web.limit("pids.max") == "100"
        definition.write_text(text.replace("TasksMax=100", "TasksMax=many"))
        broken = nsunit("restart", web.name, check=False)
        assert broken.returncode == 1
        assert "[Slice] TasksMax: 'many' is not" in broken.stderr
        assert web.pid == before  # found before anything was stopped
    finally:
        definition.write_text(text)


def test_restart_applies_the_definition(containers, nsunit):
    container = containers.start(SLEEPER + "[Slice]\nTasksMax=50\n")
    before = container.pid
    containers.define(SLEEPER + "[Slice]\nTasksMax=60\n", container.name)
    nsunit("restart", container.name)
    assert container.limit("pids.max") == "60"
    assert container.pid != before


def test_what_requires_it_is_restarted_with_it(containers, nsunit, run):
    needed = containers.start(SLEEPER)
    service = needed.service
    other = containers.start(f"[Unit]\nRequires={service}\nAfter={service}\n{SLEEPER}")
    main = "systemctl show --value -p MainPID requires-a-container"
    unit = Path("/run/systemd/system/requires-a-container.service")
    unit.write_text(f"[Unit]\nRequires={service}\nAfter={service}\n[Service]\nExecStart=sleep 1000\n")
    try:
        run("systemctl daemon-reload; systemctl start requires-a-container")
        before = (other.pid, run(main).stdout)
        nsunit("restart", needed.name)
        wait_until(lambda: run(main).stdout not in ("0\n", before[1]), "the unit of the host's to run again")
        assert other.pid != before[0]
    finally:
        run("systemctl stop requires-a-container", check=False)
        unit.unlink()
        run("systemctl daemon-reload")


@pytest.mark.kernel("nftables")
@pytest.mark.once("what is looked at, whatever systemd there is")
def test_what_no_start_would_take_is_not_stopped_by_a_restart(containers, nsunit, tmp_path):
    other = containers.start(SLEEPER + "[Container]\nNetwork=bridge\nPublishPort=18431:80\n")
    source = tmp_path / "source"
    source.mkdir()
    own = f"[Container]\nBindReadOnly={source}:/mnt\nNetwork=bridge\nPublishPort=18432:80\n"
    container = containers.start(SLEEPER + own)
    name, before = container.name, container.pid
    source.rmdir()
    done = nsunit("restart", name, check=False)
    assert (done.returncode, f"'{source}' does not exist" in done.stderr, container.pid) == (1, True, before)
    source.mkdir()
    definition = Path(f"/etc/nsunit/{name}.nsunit")
    text = definition.read_text()
    for more, said in {
        "Secret=none-such": "there is no credential 'none-such'",
        "Rootfs=\nVolatile=\nImage=localhost/none-such:1": "there is no image",
        "Link=none-such:db": "'none-such', which is not running",
        "PublishPort=18431:81": f"18431/tcp is published by container '{other.name}'",
    }.items():
        definition.write_text(f"{text}[Container]\n{more}\n")
        done = nsunit("restart", name, check=False)
        assert (done.returncode != 0, said in done.stderr, container.pid) == (True, True, before), (more, done.stderr)
        assert nsunit("--json", "status", name).returncode == 0
    definition.write_text(text)
    assert nsunit("restart", name).returncode == 0
    assert container.pid != before


# status, list, show, logs


@pytest.mark.machine("controllers")
def test_status(web, nsunit):
    lines = nsunit("status", web.name, "--lines=0").stdout.splitlines()
    fields = dict(line.strip().split(": ", 1) for line in lines if ": " in line)
    assert lines[0] == f"● {web.name} - Container {web.name}"
    assert fields["Definition"] == f"/etc/nsunit/{web.name}.nsunit"
    assert fields["Active"].startswith("active (running) since ")
    assert fields["Units"] == f"nsunit-verbs-web.service in {web.slice}"
    assert fields["Main PID"] == f"{web.pid} (/bin/sh /program)"
    assert fields["Root"].startswith("overlay of /var/tmp/") and fields["Root"].endswith("below a tmpfs")
    start = int(web.proc("uid_map").split()[1])
    assert fields["Ids"] == f"0-65535 inside are {start}-{start + 65535} outside"
    kinds = [word.split(":")[0] for word in fields["Namespaces"].split()]
    assert kinds == ["cgroup", "ipc", "net", "mnt", "pid", "time", "user", "uts"]
    assert fields["Tasks"].endswith("(limit: 100)")
    assert "max: 200M" in fields["Memory"]
    assert fields["CGroup"] == f"/nsunit.slice/{web.slice}"
    found = json.loads(nsunit("status", "--json", web.name).stdout)
    assert (found[0]["state"]["pid"], found[0]["tasks_limit"], found[0]["memory_limit"]) == (web.pid, 100, 200 << 20)
    assert found[0]["namespaces"]["net"] == os.stat(f"/proc/{web.pid}/ns/net").st_ino


@pytest.mark.machine("controllers")
def test_list(web, containers, nsunit):
    idle = containers.define(SLEEPER)
    (row,) = (line.split("\t") for line in nsunit("list").stdout.splitlines() if line.startswith(web.name + "\t"))
    assert row[1:4] == ["active", "running", str(web.pid)]
    assert len(row) == 10
    assert idle not in nsunit("list", "--names").stdout.split()
    assert {idle, web.name} <= set(nsunit("list", "--all", "--names").stdout.split())
    found = {item["name"]: item for item in json.loads(nsunit("ls", "-a", "--json").stdout)}
    assert found[web.name]["pid"] == web.pid
    assert found[web.name]["memory"] > 0
    assert found[web.name]["cpu_usec"] > 0
    assert (found[idle]["active_state"], found[idle]["pid"]) == ("inactive", None)


def test_show(web, nsunit):
    found = json.loads(nsunit("show", web.name).stdout)
    assert found["state"]["pid"] == web.pid
    assert {"section": "Slice", "key": "TasksMax", "value": "100"} in found["definition"]
    assert found["properties"][web.slice]["TasksMax"] == 100
    assert found["properties"][found["state"]["unit"]]["MainPID"] == web.pid
    assert "pivot to the new root" in [step["does"] for step in found["setup"]]
    assert json.loads(nsunit("inspect", "-p", "control_group", web.name).stdout) == {
        "control_group": f"/nsunit.slice/{web.slice}"
    }


def test_kill_and_logs(web, nsunit):
    nsunit("kill", "--signal", "USR1", "--kill-whom=main", web.name)
    wait_until(lambda: "got USR1\n" in nsunit("logs", web.name, "--output=cat").stdout)
    assert nsunit("logs", "-n", "1", "-o", "cat", web.name).stdout.count("\n") == 1
    assert "hello" in nsunit("logs", "--since=-10min", web.name).stdout
    assert "hello" not in nsunit("logs", "--since=+1h", web.name).stdout
    words = ("logs", "--since=-10min", "-o", "cat", web.name)
    assert nsunit(*words, "-n", "2").stdout.splitlines() == nsunit(*words).stdout.splitlines()[-2:]
    found = nsunit("logs", "--grep=^got USR[0-9]", "-o", "cat", web.name).stdout
    assert set(found.splitlines()) == {"got USR1"}
    follower = subprocess.Popen(["nsunit", "logs", "-f", "-n", "0", "-o", "cat", web.name], stdout=subprocess.PIPE)
    try:
        seen, deadline = b"", time.monotonic() + 60
        while b"got USR1\n" not in seen:  # systemd says something, too
            assert time.monotonic() < deadline, seen
            if select.select([follower.stdout], [], [], 0.3)[0]:
                seen += os.read(follower.stdout.fileno(), 4096)
            else:  # perhaps it does not follow yet
                nsunit("kill", "-s", "SIGUSR1", "--kill-whom", "main", web.name)
    finally:
        follower.terminate()
        follower.wait(30)


def test_kill_all(containers, nsunit):
    container = containers.start(SLEEPER.replace("Exec=sleep 1000", "Exec=sh -c 'sleep 2000 & wait; exit 5'"))
    nsunit("kill", "-s", "KILL", container.name)
    assert nsunit("wait", container.name, check=False).stdout == f"{container.name}: was killed by SIGKILL\n"


def test_pause_and_resume(containers, program, nsunit):
    container = containers.start(program("while :; do :; done", "", "[Slice]", "CPUQuota=50%"))

    def used():
        return int(container.limit("cpu.stat").split()[1])

    nsunit("pause", container.name)
    before = used()
    time.sleep(2)
    assert used() == before
    assert "frozen 1" in container.limit("cgroup.events")
    assert "(paused)" in nsunit("status", container.name).stdout
    refused = container.exec("true", check=False)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (125, f"nsunit: {container.name}: it is paused")
    nsunit("resume", container.name)
    wait_until(lambda: used() > before + 100_000)
    assert "(paused)" not in nsunit("status", container.name).stdout
    nsunit("pause", container.name)
    nsunit("stop", container.name)  # a frozen one can be stopped


def test_what_does_not_run_has_its_description(containers, nsunit):
    """As with systemctl; systemd itself knows nothing of it."""
    plain = containers.define(SLEEPER)
    template = containers.define("[Unit]\nDescription=Number %i of many\n" + SLEEPER, "described@")
    one = template + "1"
    for name, description in ((plain, f"Container {plain}"), (one, "Number 1 of many")):
        assert nsunit("status", name, check=False).stdout.splitlines()[0] == f"○ {name} - {description}"
        assert json.loads(nsunit("status", "--json", name, check=False).stdout)[0]["description"] == description


def test_what_systemctl_has_frozen_is_shown_and_resumed(containers, nsunit, run):
    """The service alone, or a slice around the container: `resume` undoes the one, and names the other."""
    group = containers.define_group("[Slice]\nTasksMax=100\n")
    container = containers.member(group, SLEEPER)
    frozen = f"nsunit-{group}.slice"
    nsunit("start", container.name)

    def shown():
        (state,) = json.loads(nsunit("list", "--json", container.name).stdout)
        return state["frozen"], "(paused)" in nsunit("status", container.name).stdout

    run("systemctl", "freeze", container.service)
    assert shown() == (True, True)
    nsunit("resume", container.name)
    assert shown() == (False, False)
    assert container.exec("true").returncode == 0
    run("systemctl", "freeze", frozen)
    try:
        assert shown() == (True, True)
        refused = nsunit("resume", container.name, check=False)
        assert refused.returncode == 1
        assert refused.stderr == (
            f"nsunit: {container.name}: it stays paused, as '{frozen}' around it is frozen\n"
            f"  hint: systemctl thaw '{frozen}'\n"
        )
    finally:
        run("systemctl", "thaw", frozen)
    assert shown() == (False, False)


def test_wait(containers, nsunit, web):
    name = containers.define(SLEEPER.replace("sleep 1000", "sh -c 'sleep 4; exit 3'"))
    nsunit("start", name)
    done = nsunit("wait", name, check=False)
    assert (done.returncode, done.stdout) == (1, f"{name}: exited with status 3\n")
    assert nsunit("wait", name, check=False).returncode == 1  # as it ended last
    never = containers.define(SLEEPER)
    assert nsunit("wait", never).stdout == f"{never}: is not running\n"
    unknown = nsunit("wait", "no-such-name", never, check=False)
    assert (unknown.returncode, unknown.stderr.splitlines()[0]) == (
        3,
        "nsunit: container 'no-such-name' is not defined",
    )
    begin = time.monotonic()
    late = nsunit("wait", "--timeout=1", web.name, check=False)
    assert late.returncode == 1
    assert "still running after 1 s" in late.stderr
    assert time.monotonic() - begin < 60


# rm


def test_rm(containers, nsunit):
    container = containers.start(SLEEPER.replace("Volatile=yes\n", "").replace("Rootfs", "Layer"))
    refused = nsunit("rm", container.name, check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"nsunit: {container.name}: it is running",
        f"  hint: stop it first with 'nsunit stop {container.name}'",
    ]
    nsunit("stop", container.name)
    assert container.upper.is_dir()
    nsunit("start", container.name)
    assert nsunit("rm", "--force", container.name).stdout == ""
    assert not container.state.exists()
    assert nsunit("rm", "--force", container.name).stdout == f"{container.name}: nothing was kept\n"
    ended = nsunit("rm", "no-such", check=False)
    assert ended.returncode == 3
    assert "of what 'nsunit run' has started, nothing stays once it has ended" in ended.stderr


# host


@pytest.mark.kernel("nftables")
def test_version_and_doctor(nsunit, run):
    found = json.loads(nsunit("version", "--json").stdout)
    assert found["nsunit"] == nsunit("--version").stdout.split()[1]
    assert found["linux"] == platform.release()
    assert found["systemd"] == int(run("systemctl", "--version").stdout.split()[1])
    checks = json.loads(nsunit("doctor", "--json").stdout)
    assert checks
    assert not [item for item in checks if "error" in item.values()]
    before = run("nft", "list", "tables").stdout
    assert {item["subject"]: item["state"] for item in checks}["network"] == "ok"
    assert run("nft", "list", "tables").stdout == before
    run("mount", "--bind", "/bin/false", "/usr/sbin/nft")
    try:
        (found,) = (item for item in json.loads(nsunit("doctor", "--json").stdout) if item["subject"] == "network")
    finally:
        run("umount", "/usr/sbin/nft")
    assert found["state"] == "warning"
    assert "no container can be in a network" in found["text"]


# what cannot be done


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "status", "show", "kill", "pause", "resume", "rm", "cat"])
def test_an_unknown_container(nsunit, verb):
    done = nsunit(verb, "nobody-knows-it", check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].startswith("nsunit: ")
    assert "nobody-knows-it" in done.stderr.splitlines()[0]
    assert done.stdout == ""


def test_all_of_them(web, containers, nsunit):
    """The last one, since it stops everything."""
    idle = containers.define(SLEEPER)
    started = nsunit("start", "--all")
    assert started.stdout == f"{web.name}: is already running\n"
    assert containers.of(idle).show("ActiveState")["ActiveState"] == "active"
    pod = Path(f"/etc/nsunit/{idle}x.pod.nsunit")
    pod.write_text("[Pod]\n")
    nsunit("start", f"{idle}x.pod")
    assert nsunit("stop", "--all").stdout == ""
    assert not {web.name, idle, f"{idle}x.pod"} & set(nsunit("list", "--names").stdout.split())
    pod.unlink()
