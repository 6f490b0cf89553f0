"""systemd's own directives in a definition: what is rendered is what the unit has, as properties and as unit files."""

import json
import os
import re
from pathlib import Path

import pytest

BUSYBOX = "/srv/roots/busybox"
DEFINITION = f"""
[Unit]
Description=A container \\
 with everything
Documentation=man:nsunit.container(5)
StartLimitBurst=7
StartLimitIntervalSec=2min
ConditionPathExists=/srv/roots
After=network.target
[Container]
Rootfs={BUSYBOX}
Volatile=yes
Exec=sleep 1000
[Service]
Restart=on-failure
RestartSec=1500ms
TimeoutStartSec=90
TimeoutStopSec=7s
RuntimeMaxSec=1h
SuccessExitStatus=42 SIGUSR1
RestartPreventExitStatus=1 6
ExecStartPre=/bin/true one "two three"
ExecStopPost=-/bin/true
LogLevelMax=info
Nice=5
OOMScoreAdjust=100
LimitNOFILE=1024:4096
LimitCORE=0
CPUSchedulingPolicy=batch
IOSchedulingClass=best-effort
IOSchedulingPriority=6
DeviceAllow=char-pts rw
DeviceAllow=/dev/full r
TasksMax=77
SyslogIdentifier=everything
[Slice]
CPUQuota=150%
CPUWeight=50
StartupCPUWeight=200
AllowedCPUs=0-1
MemoryMin=1M
MemoryLow=2M
MemoryHigh=64M
MemoryMax=10%
MemorySwapMax=1G
TasksMax=200
IOWeight=300
IODeviceWeight=DISK 200
IOReadBandwidthMax=DISK 10M
IOWriteIOPSMax=DISK 1K
IPAddressDeny=any
IPAddressAllow=127.0.0.0/8 ::1
ManagedOOMSwap=kill
"""


def properties(run, unit):
    """All properties of a unit, as the bus gives them."""
    escaped = re.sub("[^A-Za-z0-9]", lambda match: f"_{ord(match[0]):02x}", unit)
    path = f"/org/freedesktop/systemd1/unit/{escaped}"
    words = ("busctl", "--json=short", "call", "org.freedesktop.systemd1", path, "org.freedesktop.DBus.Properties")
    answer = json.loads(run(*words, "GetAll", "s", "").stdout)
    return {name: value["data"] for name, value in answer["data"][0].items()}


def comparable(name, value):
    """A value without what systemd adds to it: times and states of commands, CPUs beyond the last one."""
    if name.startswith("Exec"):
        return [item[:3] for item in value]
    if name in ("AllowedCPUs", "AllowedMemoryNodes"):
        return sum(byte << 8 * position for position, byte in enumerate(value))
    if name in ("Conditions", "Asserts"):
        return [item[:4] for item in value]
    return sorted(value, key=str) if isinstance(value, list) and name != "Environment" else value


@pytest.fixture(scope="module")
def everything(shared, run, nsunit):
    """A container with a great many directives, and what `render` says about it."""
    disk = os.path.realpath("/dev/disk/by-id/virtio-scratch")
    container = shared.start(DEFINITION.replace("DISK", disk))
    rendered = json.loads(nsunit("render", "--json", container.name).stdout)
    return container, {unit["name"]: unit["properties"] for unit in rendered["units"]}


@pytest.mark.machine("controllers")
def test_units_have_the_properties_that_render_shows(everything, run):
    container, rendered = everything
    assert list(rendered) == [container.service, container.slice]
    seen = 0
    for unit, expected in rendered.items():
        found = properties(run, unit)
        wrong = {}
        for item in expected:
            name, value = item["name"], item["value"]
            if name == "CPUAccounting" and name not in found:  # systemd >= 258 always counts
                continue
            if name in ("After", "Before", "Wants", "RequiresMountsFor", "DeviceAllow"):  # systemd adds its own
                assert all(entry in found[name] for entry in value)
            elif name.endswith("Scale"):
                total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
                share = total * value / 2**32
                assert abs(found[name.removesuffix("Scale")] - share) < share / 50
            elif comparable(name, found[name]) != comparable(name, value):
                wrong[name] = (value, found[name])
            seen += 1
        assert wrong == {}
    assert seen > 60


@pytest.mark.machine("controllers")
def test_limits_arrive_in_the_cgroup(everything):
    container, _ = everything
    disk = os.stat(os.path.realpath("/dev/disk/by-id/virtio-scratch")).st_rdev
    number = f"{os.major(disk)}:{os.minor(disk)}"
    assert container.limit("cpu.max") == "150000 100000"
    assert container.limit("cpu.weight") == "50"
    assert container.limit("memory.min") == str(1 << 20)
    assert container.limit("memory.low") == str(2 << 20)
    assert container.limit("memory.high") == str(64 << 20)
    assert container.limit("memory.swap.max") == str(1 << 30)
    assert container.limit("pids.max") == "200"
    assert container.limit("io.max") == f"{number} rbps=10000000 wbps=max riops=max wiops=1000"
    assert (container.cgroup / container.service / "pids.max").read_text() == "77\n"


@pytest.mark.machine("controllers")
def test_the_program_inherits_what_service_sets(everything):
    container, _ = everything
    limits = container.proc("limits")
    assert re.search(r"^Max open files +1024 +4096 ", limits, re.M)
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    assert container.proc("oom_score_adj") == "100\n"
    stat = container.proc("stat").rpartition(")")[2].split()
    assert stat[16] == "5"  # nice
    assert stat[38] == "3"  # SCHED_BATCH


@pytest.mark.anywhere("what nsunit has planned, and the kernel's ids")
@pytest.mark.machine("controllers")
def test_setup_plan_is_shown(everything, nsunit):
    container, _ = everything
    steps = json.loads(nsunit("render", "--json", container.name).stdout)["setup"]
    keywords = [step["operation"] for step in steps]
    assert keywords[0] == "subgroup"
    assert keywords[-1] == "exec"
    assert keywords.index("user-namespace") < keywords.index("namespaces") < keywords.index("root-overlay")
    assert keywords.index("pivot") < keywords.index("privileges")
    start = container.proc("uid_map").split()[1]
    (user,) = (step for step in steps if step["operation"] == "user-namespace")
    assert user["arguments"] == [start, "65536"]
    assert all(step["does"] for step in steps)


@pytest.mark.machine("controllers")
def test_unit_files_mean_the_same(containers, run, nsunit, workplace):
    """What `render --unit-files` prints passes systemd-analyze, and makes units with the very same properties."""
    disk = os.path.realpath("/dev/disk/by-id/virtio-scratch")
    container = containers.start(DEFINITION.replace("DISK", disk))
    rendered = json.loads(nsunit("render", "--json", container.name).stdout)["units"]
    transient = {unit["name"]: properties(run, unit["name"]) for unit in rendered}
    files = json.loads(nsunit("render", "--unit-files", "--json", container.name).stdout)
    assert set(files) == set(transient)
    shown = nsunit("render", "--unit-files", container.name).stdout
    assert all(text in shown for text in files.values())
    nsunit("stop", container.name)

    directory = Path("/run/systemd/system")
    try:
        for name, text in files.items():
            (directory / name).write_text(text)
        checked = run("systemd-analyze", "verify", "--man=no", *(str(directory / name) for name in files))
        assert [line for line in checked.stderr.splitlines() if container.name in line] == []
        run("systemctl", "daemon-reload")
        wrong = {}
        for unit in rendered:
            found = properties(run, unit["name"])
            assert found["FragmentPath"] == f"/run/systemd/system/{unit['name']}"
            for item in unit["properties"]:
                name = item["name"].removesuffix("Scale")
                if name == "CPUAccounting" and name not in found:
                    continue
                before, after = transient[unit["name"]][name], found[name]
                if name == "RequiresMountsFor":  # a file needs the place of its plan as well
                    after = [path for path in after if not path.endswith("/boot")]
                if name == "After":
                    before, after = ([entry for entry in value if "nsunit" not in entry] for value in (before, after))
                if name == "ExecStartPre":  # the plan's way to its place at boot comes first in a file
                    assert after[0][0] == "/bin/cp"
                    after = after[1:]
                if comparable(name, before) != comparable(name, after):
                    wrong[unit["name"], name] = (before, after)
        assert wrong == {}
    finally:
        for name in files:
            (directory / name).unlink(missing_ok=True)
        run("systemctl", "daemon-reload")


def test_a_unit_of_somebody_else_is_left_alone(containers, run, nsunit):
    name = containers.define(f"[Container]\nRootfs={BUSYBOX}\nReadOnly=yes\nExec=sleep 1000\n")
    service = containers.of(name).service
    path = Path("/run/systemd/system") / service
    path.write_text("[Service]\nExecStart=/bin/sleep 1000\n")
    try:
        run("systemctl daemon-reload")
        done = nsunit("start", name, check=False)
        assert done.returncode == 1
        assert done.stderr.splitlines()[0] == (
            f"nsunit: {name}: '{service}' is there already and was not made by nsunit ('{path}')"
        )
    finally:
        path.unlink()
        run("systemctl daemon-reload")


def test_a_masked_unit_says_how_it_is_unmasked(containers, run, nsunit):
    name = containers.define(f"[Container]\nRootfs={BUSYBOX}\nReadOnly=yes\nExec=sleep 1000\n[Install]\n")
    container = containers.of(name)
    for unit in (container.service, container.slice):
        path = f"/run/systemd/system/{unit}"
        run("systemctl", "mask", "--runtime", unit)
        try:
            for verb in ("start", "enable"):
                done = nsunit(verb, name, check=False)
                assert (done.returncode, done.stderr) == (
                    1,
                    f"nsunit: {name}: '{unit}' is masked ('{path}')\n"
                    f"  hint: 'systemctl unmask --runtime {unit}' lets it start\n",
                ), (verb, unit)
        finally:
            run("systemctl", "unmask", "--runtime", unit)
    nsunit("start", name)


def test_drop_ins_reset_and_add(containers, nsunit):
    first = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1\nEnvironment=A=1\n"
    first += "[Slice]\nTasksMax=5\nCPUWeight=9\n"
    second = "[Container]\nExec=sleep 1000\nEnvironment=\nEnvironment=B=%n\n[Slice]\nTasksMax=9\n"
    container = containers.start(first, **{"50-more": second, "10-less": "[Slice]\nTasksMax=7\n"})
    assert container.limit("pids.max") == "9"
    assert container.limit("cpu.weight") == "9"
    environment = container.proc("environ").split("\0")
    assert f"B={container.service}" in environment
    assert "A=1" not in environment
    status = nsunit("status", container.name, "--lines=0").stdout
    drop_ins = [line.split(": ")[1] for line in status.splitlines() if "Drop-in" in line]
    assert [os.path.basename(path) for path in drop_ins] == ["10-less.conf", "50-more.conf"]


def test_hooks_of_systemd_run_on_the_host(containers, workplace, nsunit):
    log = workplace / "hooks"
    # Slower than a program that does not hear its stop signal is killed.
    hook = f'/bin/sh -c "sleep 1; echo %s $(hostname) >>{log}"'
    lines = [
        f"{key}={hook.replace('%s', key)}" for key in ("ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost")
    ]
    lines = [
        "[Container]",
        f"Rootfs={BUSYBOX}",
        "Volatile=yes",
        "Exec=sleep 1000",
        "[Service]",
        "TimeoutStopSec=4s",
        *lines,
    ]
    text = "\n".join([*lines, ""])
    container = containers.start(text.replace("$(", "$$("))
    host = os.uname().nodename
    assert log.read_text().split("\n") == [f"ExecStartPre {host}", f"ExecStartPost {host}", ""]
    nsunit("stop", container.name)
    assert log.read_text().split("\n")[2:] == [f"ExecStop {host}", f"ExecStopPost {host}", ""]


def test_hooks_are_the_same_after_a_daemon_reload(containers, workplace, nsunit, run):
    log = workplace / "words"
    program = workplace / "program"
    program.write_text(f'#!/bin/sh\nprintf "<%s>" "$@" >>{log}\necho >>{log}\n')
    program.chmod(0o755)
    words = r"""$SERVICE_RESULT a${SERVICE_RESULT}b $NO_SUCH "${NO_SUCH}" """
    words += r""""a; b" \; $$HOME a$b "it's \"*\" \\044" $ * "" x$$"""
    text = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n[Service]\nExecStopPost={program} {words}\n"
    expected = r"""<signal><asignalb><><a; b><;><$HOME><a$b><it's "*" \044><*><><x$>"""
    for reload in (False, True):
        container = containers.start(text)
        if reload:
            run("systemctl", "daemon-reload")
        nsunit("stop", container.name)
    assert log.read_text() == f"{expected}\n" * 2
