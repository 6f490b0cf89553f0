"""Limits hold: each is set in a definition, and then exceeded on purpose."""

import contextlib
import json
import os
import re
import stat
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("the kernel keeps to what its files have, which systemd writes in other tests")
BUSYBOX = "/srv/roots/busybox"
SPIN = "while :; do :; done &\n" * 2 + "echo end >/tmp/report\nwhile :; do :; done\n"


def cpu_seconds(container):
    fields = dict(line.split() for line in container.limit("cpu.stat").splitlines())
    return int(fields["usage_usec"]) / 1e6


def event(container, file, key):
    return int(dict(line.split() for line in container.limit(file).splitlines())[key])


@pytest.fixture(scope="module")
def busy(shared, program):
    """A container that uses all CPU time it can get, in three processes."""
    container = shared.start(program(SPIN, "", "[Slice]", "CPUQuota=30%", "AllowedCPUs=1", "CPUWeight=20"))
    container.report()
    return container


@ANYWHERE
@pytest.mark.machine("controllers")
def test_cpu_quota_holds(busy):
    def share():
        begin, used = time.monotonic(), cpu_seconds(busy)
        time.sleep(3)
        return (cpu_seconds(busy) - used) / (time.monotonic() - begin)

    # An emulated processor that has to wait for a real one works meanwhile, as it thinks.
    wait_until(lambda: 0.15 < share() < 0.36, "three tenths of a processor")
    assert event(busy, "cpu.stat", "nr_throttled") > 10


@ANYWHERE
@pytest.mark.machine("cpuset")
def test_allowed_cpus_hold(busy, run):
    run("systemctl", "daemon-reload")
    assert (busy.limit("cpuset.cpus"), busy.limit("cpuset.cpus.effective")) == ("1", "1")

    def members():
        return (busy.cgroup / busy.service / "payload/cgroup.procs").read_text().split()

    wait_until(lambda: len(members()) == 3, "what has set it up is gone")
    for pid in members():
        assert "Cpus_allowed_list:\t1\n" in Path(f"/proc/{pid}/status").read_text()
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[36] == "1"  # where it ran last
    refused = busy.exec("taskset", "1", "true", check=False)  # CPU 0
    assert refused.returncode == 1
    assert "Invalid argument" in refused.stderr


@pytest.mark.machine("controllers")
def test_limits_survive_daemon_reload(busy, nsunit, run):
    run("systemctl", "daemon-reload")
    assert [busy.limit(file) for file in ("cpu.max", "cpu.weight")] == ["30000 100000", "20"]
    nsunit("stop", "--now", busy.name)  # an emulated processor has better things to do


@pytest.mark.machine("controllers")
def test_memory_limit_ends_in_oom_kill(containers, program, nsunit):
    # tail keeps what has no line end.
    text = program("sleep 1; tail /dev/zero", "", "[Slice]", "MemoryMax=20M", "MemorySwapMax=0")
    container = containers.start(text)
    assert container.limit("memory.max") == str(20 << 20)
    waited = nsunit("wait", container.name, check=False)
    assert waited.returncode == 1
    assert "oom-kill" in waited.stdout
    assert container.show("ActiveState", "Result") == {"ActiveState": "failed", "Result": "oom-kill"}
    assert json.loads(nsunit("show", "-p", "oom_kills", container.name).stdout)["oom_kills"] > 0
    shown = nsunit("status", container.name, check=False)
    assert shown.returncode == 3
    assert "(Result: oom-kill" in shown.stdout
    assert "the kernel killed it for lack of memory; raise MemoryMax=" in shown.stdout


FORKS = """
(i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done) 2>/tmp/errors
echo end >/tmp/report
exec sleep 1000
"""


@ANYWHERE
@pytest.mark.machine("controllers")
def test_tasks_limit_stops_a_fork_loop(containers, program):
    container = containers.start(program(FORKS, "", "[Slice]", "TasksMax=12"))
    container.report()
    assert container.limit("pids.max") == "12"
    # The shell that was refused one more may have ended, and so may what has set the container up.
    assert 8 <= int(container.limit("pids.current")) <= 12
    assert "can't fork" in (container.root / "tmp/errors").read_text()


@contextlib.contextmanager
def kept_empty(disk):
    """Leave the scratch disk as it was found."""
    try:
        yield
    finally:
        with open(disk, "r+b") as file:
            file.seek(1 << 20)
            file.write(bytes(8 << 20))
            os.fsync(file.fileno())


def disk_container(containers, disk, *more):
    lines = ("[Container]", f"Rootfs={BUSYBOX}", "Volatile=yes", "Exec=sleep 1000", f"Bind={disk}:/disk")
    return containers.start("\n".join((*lines, "PrivateUsers=no", *more, "")))


def written_in(container):
    """Write 4 MiB to the disk in a few large pieces; the seconds it took, without those of the way there."""
    command = "time dd if=/dev/zero of=/disk bs=1M count=4 seek=1 oflag=direct"
    minutes, seconds = re.search(r"real\s+([0-9]+)m *([0-9.]+)s", container.exec("sh", "-c", command).stderr).groups()
    return int(minutes) * 60 + float(seconds)


@ANYWHERE
@pytest.mark.machine("controllers")
def test_io_bandwidth_limit_holds(containers, scratch_disk, run):
    allow = ("[Service]", f"DeviceAllow={scratch_disk} rw", "[Slice]", f"IOWriteBandwidthMax={scratch_disk} 1M")
    number = os.stat(scratch_disk).st_rdev
    with kept_empty(scratch_disk):
        container = disk_container(containers, scratch_disk, *allow)
        assert container.limit("io.max").startswith(f"{os.major(number)}:{os.minor(number)} rbps=max wbps=1000000 ")
        assert written_in(container) > 3  # 4 MiB at 1 MB/s, of which the first moment is free
        run("systemctl", "daemon-reload")
        assert "wbps=1000000" in container.limit("io.max")
        # A limit is a property of the slice like any other: systemctl lifts it.
        run("systemctl", "set-property", "--runtime", container.slice, f"IOWriteBandwidthMax={scratch_disk} infinity")
        assert "wbps=1000000" not in container.limit("io.max")
        # The best of three, since the processors may be busy with other things.
        assert min(written_in(container) for _ in range(3)) < 2
        assert f"wbytes={16 << 20}" in container.limit("io.stat")


@pytest.mark.machine("a disk")
def test_a_disk_is_out_of_reach(containers, scratch_disk):
    """Neither a bound node, nor one made inside, nor one an exec session uses opens a device that is not allowed."""
    container = disk_container(containers, scratch_disk, "Capability=+MKNOD")
    assert stat.S_ISBLK(os.stat(container.root / "disk").st_mode)
    for path in ("/disk", "/made", "/dev/made"):
        if path != "/disk":
            number = os.stat(scratch_disk).st_rdev
            container.exec("mknod", path, "b", str(os.major(number)), str(os.minor(number)), check=False)
        read = container.exec("dd", f"if={path}", "of=/dev/null", "count=1", check=False)
        assert read.returncode == 1
        assert "can't open" in read.stderr
    # The usual ones are allowed.
    container.exec("dd", "if=/dev/urandom", "of=/dev/null", "count=1")


@pytest.mark.machine("a disk")
def test_a_disk_can_be_allowed_for_reading_only(containers, scratch_disk):
    container = disk_container(containers, scratch_disk, "[Service]", f"DeviceAllow={scratch_disk} r")
    container.exec("dd", "if=/disk", "of=/dev/null", "count=1")
    written = container.exec("dd", "if=/dev/zero", "of=/disk", "count=1", "seek=2048", check=False)
    assert written.returncode == 1
    assert "Operation not permitted" in written.stderr


@ANYWHERE
@pytest.mark.machine("controllers")
def test_one_limit_for_what_exec_adds(containers, program):
    """exec sessions are in the slice, so they use up the same limit; one too many is refused in one line."""
    container = containers.start(program("exec sleep 1000", "", "[Slice]", "MemoryMax=30M", "MemorySwapMax=0"))
    done = container.exec("tail", "/dev/zero", check=False)
    assert done.returncode == 128 + 9
    assert container.show("ActiveState")["ActiveState"] == "active"
    assert event(container, "memory.events", "oom_kill") == 1


@ANYWHERE
@pytest.mark.machine("controllers")
def test_a_first_limit_of_the_service_is_seen_at_once(containers, nsunit, run):
    """By a payload that has seen its slice's files until then; and these follow as well, whoever changes them."""
    container = containers.start(
        f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n[Slice]\nTasksMax=90\n"
    )

    def seen():
        inside = container.exec("cat", "/sys/fs/cgroup/pids.max").stdout
        return int(inside) if inside == (container.root / "sys/fs/cgroup/pids.max").read_text() else "in between"

    assert seen() == 90
    for change, expected in (("Service.TasksMax=60", 60), ("Service.TasksMax=50", 50), ("TasksMax=40", 40)):
        nsunit("set", container.name, change)
        assert seen() == expected
    assert Path(f"/proc/{container.pid}/mountinfo").read_text().count(" /sys/fs/cgroup/pids.max ") == 1
    for unit, expected in ((container.service, 30), (container.slice, 20)):
        run("systemctl", "set-property", "--runtime", unit, f"TasksMax={expected}")
        wait_until(lambda: seen() == expected, f"{expected} tasks")  # noqa: B023
    run("systemctl", "set-property", "--runtime", container.service, "CPUQuota=40%")
    wait_until(lambda: (container.root / "sys/fs/cgroup/cpu.max").read_text() == "40000 100000\n", "another limit")
    nsunit("stop", container.name)
    wait_until(lambda: run("systemctl list-units --plain --no-legend 'nsunit-limits-of@*'").stdout == "", "its end")
