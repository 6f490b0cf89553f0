"""Groups of containers: limits that they share, on real slices."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("the kernel keeps to what its files have, which systemd writes in other tests")
BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"
LIMITS = "[Slice]\nMemoryMax=64M\nMemorySwapMax=0\nTasksMax=40\n"
SYSTEMD = Path("/etc/systemd/system")
MIB = 1 << 20
DEFINITIONS = "/etc/nsunit, /run/nsunit/definitions, /usr/local/lib/nsunit, /usr/lib/nsunit"


def counters(path):
    return {line.split()[0]: int(line.split()[1]) for line in path.read_text().splitlines()}


@pytest.fixture
def pair(containers, nsunit):
    """Two containers that run in a group with limits; the group's slice is gone when both are."""
    group = containers.define_group(LIMITS)
    first, second = (containers.member(group, SLEEP) for _ in range(2))
    nsunit("start", first.name, second.name)
    yield first, second
    nsunit("stop", f"{group}.slice", check=False)
    wait_until(lambda: not first.group_cgroup.exists(), "the group is gone")


@ANYWHERE
@pytest.mark.machine("controllers")
def test_two_containers_share_memory_and_tasks(pair, run):
    first, second = pair
    group = first.group_cgroup
    assert (group / "memory.max").read_text() == f"{64 * MIB}\n"
    assert (group / "pids.max").read_text() == "40\n"
    assert first.limit("memory.max") == second.limit("memory.max") == "max"
    # Each would be allowed it alone.
    fill = "dd if=/dev/zero of=/tmp/fill bs=1M count=36 2>/dev/null && echo filled"
    for container in pair:
        assert container.exec("mkdir", "-p", "/tmp").returncode == 0
    assert first.exec("sh", "-c", fill).stdout == "filled\n"
    assert counters(group / "memory.events")["oom_kill"] == 0
    killed = second.exec("sh", "-c", fill, check=False)
    assert "filled" not in killed.stdout
    assert counters(group / "memory.events")["oom_kill"] > 0


@ANYWHERE
@pytest.mark.machine("controllers")
def test_two_containers_share_a_number_of_tasks(pair):
    first, second = pair
    many = ("sh", "-c", "i=0; while [ $i -lt 25 ]; do sleep 100 >/dev/null 2>&1 & i=$((i+1)); done; echo ready; wait")
    with subprocess.Popen(["nsunit", "exec", first.name, *many], stdout=subprocess.PIPE, text=True) as session:
        try:
            assert session.stdout.readline() == "ready\n"
            # Each alone may have as many.
            refused = second.exec(*many, check=False)
            assert (refused.stdout, "can't fork" in refused.stderr) == ("", True)
            assert int((first.group_cgroup / "pids.current").read_text()) <= 40
        finally:
            session.kill()


@ANYWHERE
@pytest.mark.machine("controllers")
def test_a_quota_is_for_all_of_a_group(containers, nsunit):
    group = containers.define_group("[Slice]\nCPUQuota=100%\n")
    busy = SLEEP.replace("sleep 1000", "sh -c 'while :; do :; done'")
    members = [containers.member(group, busy) for _ in range(2)]
    nsunit("start", *(item.name for item in members))
    path = members[0].group_cgroup
    nsunit("set", f"{group}.slice", "CPUQuota=10%")
    assert (path / "cpu.max").read_text() == "10000 100000\n"
    wait_until(lambda: counters(path / "cpu.stat")["nr_throttled"] > 5, "the group is held back")
    assert all(counters(item.cgroup / "cpu.stat")["nr_throttled"] == 0 for item in members)
    nsunit("stop", "--now", *(item.name for item in members))


@pytest.mark.machine("controllers")
def test_groups_within_groups(containers, nsunit, run):
    group = containers.define_group(LIMITS)
    containers.define_group("[Unit]\nDescription=Those in Europe\n[Slice]\nTasksMax=20\n", f"{group}-eu")
    inner = containers.member(f"{group}-eu", SLEEP)
    outer = containers.member(group, SLEEP)
    nsunit("start", inner.name)
    assert (inner.group_cgroup / "pids.max").read_text() == "20\n"
    assert (inner.group_cgroup.parent / "memory.max").read_text() == f"{64 * MIB}\n"
    nsunit("start", outer.name)
    assert inner.show("Description", unit=f"nsunit-{group}-eu.slice") == {"Description": "Those in Europe"}
    tree = json.loads(nsunit("list", "--tree", "--json", inner.name, outer.name).stdout)
    (top,) = tree["children"]
    assert (top["name"], top["kind"], top["memory_limit"]) == (f"{group}.slice", "group", 64 * MIB)
    assert [item["name"] for item in top["children"]] == [f"{group}-eu.slice", outer.name]
    (member,) = top["children"][0]["children"]
    assert member["name"] == inner.name and member["memory"] > 0
    lines = nsunit("list", "--tree", "--no-headings", inner.name).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "nsunit.slice",
        f"└─{group}.slice",
        "└─" + f"{group}-eu.slice",
        "└─" + inner.name,
    ]
    stats = json.loads(nsunit("stats", "--json", f"{group}-eu.slice").stdout)["usages"]
    assert [(item["kind"], item["name"]) for item in stats] == [
        ("group", f"{group}-eu.slice"),
        ("container", inner.name),
    ]
    why = json.loads(nsunit("why", "--json", inner.name, "MemoryMax").stdout)
    assert why[0]["tightest"] == f"nsunit-{group}.slice"
    assert json.loads(nsunit("why", "--json", f"{group}-eu.slice", "TasksMax").stdout)[0]["effective"] == 20
    nsunit("stop", f"{group}-eu.slice")
    wait_until(lambda: not inner.group_cgroup.exists(), "the inner group is gone")
    assert outer.pid
    nsunit("stop", outer.name)
    wait_until(lambda: not outer.group_cgroup.exists(), "the outer group is gone")
    assert run("systemctl", "show", "-P", "LoadState", f"nsunit-{group}.slice").stdout in ("loaded\n", "not-found\n")


def test_a_group_that_nobody_has_defined(containers, nsunit):
    group = f"undefined{time.monotonic_ns()}"
    member = containers.member(group, SLEEP)
    nsunit("start", member.name)
    assert member.limit("memory.max") == "max"
    assert member.group_limit("memory.max") == "max"
    nsunit("set", f"{group}.slice", "MemoryMax=100M")
    assert member.group_limit("memory.max") == str(100 * MIB)
    nsunit("stop", member.name)
    wait_until(lambda: not member.group_cgroup.exists(), "the group is gone")
    nsunit("start", member.name)
    assert member.group_limit("memory.max") == "max"
    nsunit("stop", member.name)
    wait_until(lambda: not member.group_cgroup.exists(), "the group is gone")


def test_a_group_is_changed_while_its_containers_run(pair, nsunit, run):
    first, _second = pair
    name = f"{first.group}.slice"
    definition = Path(f"/etc/nsunit/{name}.nsunit")
    pid = first.pid
    nsunit("set", name, "MemoryMax=80M", "CPUWeight=50")
    assert first.group_limit("memory.max") == str(80 * MIB)
    assert first.group_limit("cpu.weight") == "50"
    assert "MemoryMax: '80M' -> '64M' (at once)" in nsunit("plan", name).stdout
    definition.write_text("[Slice]\nMemoryMax=90M\n")
    nsunit("apply", name)
    assert first.group_limit("memory.max") == str(90 * MIB)
    assert first.group_limit("pids.max") == "max"
    assert first.group_limit("cpu.weight") == "100"
    assert nsunit("plan", name).stdout == f"{name}: runs as its definition says\n"
    run("systemctl", "daemon-reload")
    assert first.group_limit("memory.max") == str(90 * MIB)
    (drop_in,) = nsunit("dropin", name, "MemoryMax=70M").stdout.splitlines()
    assert drop_in == f"{SYSTEMD}/nsunit-{name}.d/50-nsunit.conf"
    assert first.group_limit("memory.max") == str(70 * MIB)
    nsunit("dropin", "--remove", name)
    assert first.group_limit("memory.max") == str(90 * MIB)
    assert first.pid == pid
    bad = nsunit("set", name, "Service.TasksMax=5", check=False)
    assert (bad.returncode, "a group has only [Slice] and [Unit]" in bad.stderr) == (2, True)
    nsunit("stop", name)
    gone = nsunit("set", name, "MemoryMax=5M", check=False)
    assert (gone.returncode, "no container of the group is running" in gone.stderr) == (3, True)


def test_the_whole_life_of_a_member(pair, nsunit, run):
    first, second = pair
    assert first.exec("hostname").stdout == f"{first.name}\n"
    assert "slice" in run("systemctl", "show", "-P", "ControlGroup", first.service).stdout
    scopes = subprocess.Popen(["nsunit", "exec", first.name, "sleep", "1000"])
    try:
        wait_until(lambda: list(first.cgroup.glob("*-exec-*.scope")), "the session is in the container's slice")
        assert {item["name"] for item in json.loads(nsunit("list", "--json").stdout)} >= {first.name, second.name}
        nsunit("pause", first.name)
        assert "frozen 1" in (first.cgroup / "cgroup.events").read_text()
        assert "frozen 0" in (second.cgroup / "cgroup.events").read_text()
        nsunit("resume", first.name)
        assert f"in {first.slice}" in nsunit("status", first.name).stdout
        assert len(json.loads(nsunit("ps", "--json", first.name).stdout)) >= 2
        every = json.loads(nsunit("ps", "--json", f"{first.group}.slice").stdout)
        assert {item["container"] for item in every} == {first.name, second.name}
        nsunit("kill", "-s", "KILL", first.name)
        wait_until(lambda: first.show("ActiveState") != {"ActiveState": "active"}, "the payload has ended")
        # Its session is still in the slice, and a stop ends it.
        nsunit("stop", first.name)
        assert not first.cgroup.exists()
    finally:
        scopes.kill()
        scopes.wait()
    nsunit("start", first.name)
    nsunit("set", "--persist", first.name, "TasksMax=33")
    assert first.limit("pids.max") == "33"
    nsunit("restart", first.name)
    assert first.limit("pids.max") == "33"
    assert nsunit("plan", first.name).stdout == f"{first.name}: runs as its definition says\n"
    shown = json.loads(nsunit("show", f"{first.group}.slice").stdout)
    assert sorted(shown["running"]) == sorted(shown["members"]) == sorted([first.name, second.name])
    assert nsunit("top", "-b", "-n", "1", f"{first.group}.slice").returncode == 0
    nsunit("stop", f"{first.group}.slice")
    assert nsunit("start", f"{first.group}.slice").returncode == 0
    assert first.pid and second.pid
    run_in = ["run", "-p", f"Rootfs={BUSYBOX}", "-p", f"Slice={first.group}"]
    where = nsunit(*run_in, "-p", "Network=host", "cat", "/proc/self/cgroup")
    assert where.returncode == 0


def test_a_group_is_removed_with_what_runs_in_it_stopped(pair, nsunit):
    """`rm` of a group that is defined is no error, with --force its containers are stopped first."""
    first, second = pair
    group = f"{first.group}.slice"
    refused = nsunit("rm", group, check=False)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (1, f"nsunit: {group}: it is running")
    nsunit("rm", "--force", group)
    assert not second.group_cgroup.exists()
    for force in ((), ("--force",)):
        assert nsunit("rm", *force, group).stdout == f"{group}: nothing was kept\n"
    nsunit("rm", "--definition", group)
    assert not Path(f"/etc/nsunit/{group}.nsunit").exists()
    gone = nsunit("rm", group, check=False)
    assert (gone.returncode, gone.stderr.splitlines()[0]) == (3, f"nsunit: {group}: there is no such container")


def test_the_status_of_a_group_begins_with_itself(pair, nsunit):
    first, second = pair
    group = f"{first.group}.slice"
    shown = json.loads(nsunit("status", "--json", group).stdout)
    assert [item["state"]["name"] for item in shown] == [group, *sorted((first.name, second.name))]
    own = shown[0]
    assert (own["memory_limit"], own["tasks_limit"], own["state"]["active_state"]) == (64 * MIB, 40, "active")
    assert own["state"]["definition"] == f"/etc/nsunit/{group}.nsunit"
    lines = nsunit("status", group, "--lines=0").stdout.splitlines()
    assert lines[0] == f"● {group} - Group {group}"
    assert f"       Units: nsunit-{group}" in lines
    nsunit("stop", group)
    # systemd stops its slice by itself, when it needs it no more.
    wait_until(lambda: nsunit("status", group, check=False).stdout.startswith(f"○ {group} - Group {group}\n"))
    assert nsunit("status", group, check=False).returncode == 3
    nsunit("rm", "--definition", group, first.name, second.name)
    gone = nsunit("status", group, check=False)
    assert (gone.returncode, gone.stderr.splitlines()[0]) == (3, f"nsunit: group '{group}' is not defined")


def test_a_group_is_not_taken_for_a_pod(pair, nsunit):
    """`stop shop.pod` would have stopped what is in `shop.slice`, and `start shop.pod` started it."""
    first, _ = pair
    pod = f"{first.group}.pod"
    for verb in ("stop", "start", "status", "kill", "restart", "logs"):
        refused = nsunit(verb, pod, check=False)
        assert (refused.returncode, refused.stdout) == (3, ""), verb
        assert refused.stderr.splitlines() == [
            f"nsunit: pod '{pod}' is not defined",
            f"  hint: looked for {pod}.nsunit in {DEFINITIONS}",
        ]
    assert first.pid
    unknown = nsunit("start", "no-such.pod", check=False)
    assert unknown.stderr.splitlines()[0] == "nsunit: pod 'no-such.pod' is not defined"


def test_stops_and_starts_that_meet(containers, nsunit):
    """However the last member's end and another's start meet, the group has its limits."""
    group = containers.define_group(LIMITS)
    first, second = (containers.member(group, SLEEP) for _ in range(2))
    nsunit("start", first.name)
    for leaving, coming in ((first, second), (second, first)) * 2:
        stop = subprocess.Popen(["nsunit", "stop", leaving.name])
        nsunit("start", coming.name)
        assert stop.wait(60) == 0
        assert coming.group_limit("memory.max") == str(64 * MIB)
        assert coming.show("FragmentPath", unit=f"nsunit-{group}.slice")["FragmentPath"]
    starts = [subprocess.Popen(["nsunit", "restart", item.name]) for item in (first, second)]
    assert [start.wait(60) for start in starts] == [0, 0]
    assert first.group_limit("memory.max") == str(64 * MIB)
    nsunit("stop", first.name, second.name)
    wait_until(lambda: not first.group_cgroup.exists(), "the group is gone")


def test_names_that_mean_two_things_are_refused(containers, nsunit):
    group = containers.define_group(LIMITS)
    containers.define(SLEEP, group)
    member = containers.member(group, SLEEP)
    done = nsunit("start", member.name, check=False)
    assert f"the slice of its group '{group}.slice' is that of container '{group}'" in done.stderr
    Path(f"/etc/nsunit/{group}.nsunit").unlink()
    nsunit("start", member.name)
    pid = member.pid
    for words in (("stop",), ("stop", "--now")):
        done = nsunit(*words, group, check=False)
        assert f"there is a group of that name: '{group}.slice'" in done.stderr
    Path(f"/etc/nsunit/{group}.nsunit").write_text(SLEEP)
    assert nsunit("stop", group).stdout == f"{group}: is not running\n"
    assert member.pid == pid
    for verb in ("start", "enable", "verify"):
        done = nsunit(verb, group, check=False)
        assert f"{group}: its slice would be that of the group '{group}.slice'" in done.stderr, verb
    nsunit("stop", member.name)
    Path(f"/etc/nsunit/{group}.slice.nsunit").write_text("[Service]\nTasksMax=1\n[Slice]\nMemoryMax=1G\n")
    done = nsunit("verify", f"{group}.slice", check=False)
    assert "[Service] TasksMax: a group has only [Slice] and [Unit]" in done.stderr


def test_enabled_members(containers, nsunit, run):
    group = containers.define_group(LIMITS)
    first, second, third = (containers.member(group, SLEEP) for _ in range(3))
    unit = SYSTEMD / f"nsunit-{group}.slice"
    nsunit("enable", first.name, second.name)
    try:
        assert unit.read_text() == json.loads(nsunit("render", "--unit-files", "--json", first.name).stdout)[unit.name]
        assert "MemoryMax=64M" in unit.read_text()
        assert run("systemd-analyze", "verify", "--man=no", first.service, check=False).stderr == ""
        run("systemctl", "start", first.service)
        assert first.group_limit("memory.max") == str(64 * MIB)
        assert nsunit("plan", f"{group}.slice").stdout == f"{group}.slice: runs as its definition says\n"
        nsunit("start", third.name)
        nsunit("set", f"{group}.slice", "MemoryMax=80M")
        assert "MemoryMax: '80M' -> '64M'" in nsunit("plan", f"{group}.slice").stdout
        nsunit("disable", "--now", first.name)
        assert unit.exists()
        nsunit("disable", second.name)
        assert not unit.exists()
        assert third.group_limit("memory.max") == str(80 * MIB)
        assert third.show("FragmentPath", unit=unit.name)["FragmentPath"].startswith("/run/systemd/transient/")
        nsunit("stop", third.name)
    finally:
        nsunit("disable", "--now", first.name, second.name, check=False)
    assert list(SYSTEMD.rglob(f"nsunit-{group}*")) == []
    wait_until(lambda: not first.group_cgroup.exists(), "the group is gone")


def test_a_group_whose_members_have_failed(containers, nsunit):
    """They keep its slice loaded. The failures are kept, but where the group is another one since."""
    group = containers.define_group("[Slice]\nTasksMax=50\n")
    first, second = (containers.member(group, SLEEP) for _ in range(2))
    nsunit("start", first.name, second.name)
    nsunit("kill", "--signal=KILL", first.name, second.name)
    for member in (first, second):
        wait_until(lambda member=member: member.show("ActiveState")["ActiveState"] == "failed", "it has failed")
    containers.define(SLEEP.replace("[Container]", f"[Container]\nSlice={group}\nStopSignal=SIGKILL"), first.name)
    for tasks, state in (("50", "failed"), ("60", "inactive")):
        containers.define_group(f"[Slice]\nTasksMax={tasks}\n", group)
        nsunit("start", first.name)
        assert first.show("TasksMax", unit=f"nsunit-{group}.slice") == {"TasksMax": tasks}
        assert second.show("ActiveState") == {"ActiveState": state}
        nsunit("stop", first.name)


@ANYWHERE
def test_restart_of_all_starts_what_has_failed(containers, nsunit):
    """As that of one does; what was stopped stays so."""
    group = containers.define_group(LIMITS)
    runs, failed, stopped = (containers.member(group, SLEEP) for _ in range(3))
    nsunit("start", runs.name, failed.name, stopped.name)
    nsunit("stop", stopped.name)
    nsunit("kill", "--signal=SIGKILL", failed.name)
    wait_until(lambda: failed.show("ActiveState")["ActiveState"] == "failed")
    nsunit("restart", f"{group}.slice")
    states = [item.show("ActiveState")["ActiveState"] for item in (runs, failed, stopped)]
    assert states == ["active", "active", "inactive"]
    nsunit("stop", f"{group}.slice")
