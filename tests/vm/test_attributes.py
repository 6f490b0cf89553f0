"""Limits that the kernel has and systemd does not know: they bite, last, and cannot be lifted from inside."""

import errno
import os
from pathlib import Path

import pytest
from waiting import wait_until

BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"
PAGE = 2 << 20
ANYWHERE = pytest.mark.anywhere("limits of the kernel's, which systemd does not know")

# Each line: pages of 2M that a child of it maps and touches, and how that ended.
MAP_PAGES = f"""
import mmap, os, time
with open("/tmp/report", "w") as report:
    for count in (1, 2, 3, 4):
        child = os.fork()
        if child == 0:
            try:
                pages = mmap.mmap(-1, count * {PAGE}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
                for page in range(count):
                    pages[page * {PAGE}] = 1
            except OSError as error:
                os._exit(error.errno)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(count, status, file=report)
    print("end", file=report)
time.sleep(1000)
"""


def own(container, file):
    """Content of a file of the control group that is the service's own, above the container's."""
    return (container.cgroup / container.service / file).read_text().strip()


def field(container, file, key):
    return int(dict(line.split() for line in own(container, file).splitlines())[key])


@pytest.fixture(scope="module")
def huge_pages():
    """Have 8 huge pages of 2M for everybody."""
    count = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    count.write_text("8")
    assert count.read_text() == "8\n"
    yield
    count.write_text("0")


@pytest.fixture(scope="module")
def mapper(workplace):
    """Return the lines of a container that maps huge pages."""
    layer = workplace / "mapper"
    layer.mkdir()
    (layer / "program.py").write_text(MAP_PAGES)
    keys = (f"Layer={layer}", "Layer=/srv/roots/debian", "Volatile=yes", "Exec=/usr/bin/python3 -SI /program.py")
    return "\n".join(("[Container]", *keys, ""))


@ANYWHERE
@pytest.mark.machine("huge pages")
def test_huge_pages_end_where_the_limit_says(containers, huge_pages, mapper):
    container = containers.start(f"{mapper}HugeTLBMax=2M 4M\nHugeTLBMax=1G 0\n")
    sigbus = -7
    assert container.report() == f"1 0\n2 0\n3 {sigbus}\n4 {sigbus}\n"
    assert own(container, "hugetlb.2MB.max") == str(2 * PAGE)
    assert own(container, "hugetlb.1GB.max") == "0"
    assert field(container, "hugetlb.2MB.events", "max") == 2


@ANYWHERE
@pytest.mark.machine("huge pages")
def test_reserving_huge_pages_ends_where_the_limit_says(containers, huge_pages, mapper):
    container = containers.start(f"{mapper}HugeTLBReservationMax=2M 6M\n")
    assert container.report() == f"1 0\n2 0\n3 0\n4 {errno.ENOMEM}\n"


BURSTS = "while :; do sleep 0.5; i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done; done\n"


@ANYWHERE
@pytest.mark.machine("controllers")
def test_a_burst_exceeds_the_quota(containers, program, nsunit):
    container = containers.start(program(BURSTS, "CPUBurstSec=20ms", "[Service]", "CPUQuota=20%"))
    wait_until(lambda: field(container, "cpu.stat", "nr_bursts"), "a burst")
    assert field(container, "cpu.stat", "burst_usec") > 0
    # The kernel takes no quota below the burst: the order is right on the way down and on the way up.
    nsunit("set", container.name, "Service.CPUQuota=10%", "CPUBurstSec=10ms")
    assert (own(container, "cpu.max"), own(container, "cpu.max.burst")) == ("10000 100000", "10000")
    refused = nsunit("set", container.name, "Service.CPUQuota=5%", check=False)
    assert (refused.returncode, "is more than the quota of one period, which is 5000us" in refused.stderr) == (1, True)
    nsunit("set", container.name, "Service.CPUQuota=40%", "CPUBurstSec=40ms")
    assert (own(container, "cpu.max"), own(container, "cpu.max.burst")) == ("40000 100000", "40000")
    nsunit("apply", container.name)
    assert (own(container, "cpu.max"), own(container, "cpu.max.burst")) == ("20000 100000", "20000")


def test_groups_inside_are_counted(containers):
    container = containers.start(SLEEP + "CGroupsMax=2\nCGroupDepthMax=1\n")
    payload = container.cgroup / container.service / "payload"
    (container.cgroup / container.service / ".control").mkdir()  # systemd's, for what it runs beside the program
    (payload / "a").mkdir()
    with pytest.raises(OSError) as caught:
        (payload / "a/b").mkdir()
    assert caught.value.errno == errno.EAGAIN
    (payload / "c").mkdir()
    with pytest.raises(OSError) as caught:
        (payload / "d").mkdir()
    assert caught.value.errno == errno.EAGAIN
    for name in ("payload/a", "payload/c", ".control"):
        (container.cgroup / container.service / name).rmdir()


@pytest.mark.machine("huge pages")
def test_they_last_and_change_while_it_runs(containers, nsunit, run):
    container = containers.start(
        SLEEP + "HugeTLBMax=2M 4M\nMemorySwapHigh=8M\n[Service]\nRestart=always\nRestartSec=0\n"
    )

    def values():
        return own(container, "hugetlb.2MB.max"), own(container, "memory.swap.high")

    for command in ("daemon-reload", "daemon-reexec"):
        run("systemctl", command)
        assert values() == (str(4 << 20), str(8 << 20))
    nsunit("set", container.name, "HugeTLBMax=2M 6M", "MemorySwapHigh=")
    assert values() == (str(6 << 20), "max")
    assert nsunit("plan", container.name).stdout.splitlines()[1:] == [
        "  [Container] HugeTLBMax: '2M 4M; 2M 6M' -> '2M 4M' (at once)",
        "  [Container] MemorySwapHigh: '' -> '8M' (at once)",
    ]
    # What was set for this run holds when systemd restarts it.
    pid = container.pid
    os.kill(pid, 9)
    wait_until(
        lambda: (now := container.show("MainPID", "SubState"))["SubState"] == "running" and now["MainPID"] != str(pid),
        "the restart",
    )
    assert values() == (str(6 << 20), "max")
    nsunit("apply", container.name)
    assert values() == (str(4 << 20), str(8 << 20))


@ANYWHERE
@pytest.mark.machine("huge pages")
def test_root_inside_cannot_lift_them(containers):
    """Not even the host's root with all capabilities, for whom the file's owner is no hindrance."""
    lines = "PrivateUsers=no\nCapability=ALL\nHugeTLBMax=2M 4M\nCPUBurstSec=10ms\n[Service]\nCPUQuota=20%\n"
    container = containers.start(SLEEP + lines)
    script = (
        "mkdir /tmp/c; mount -t cgroup2 none /tmp/c || exit 9; echo mounted;"
        "mount -o remount,rw /sys/fs/cgroup; for top in /tmp/c /sys/fs/cgroup; do cd $top;"
        "for f in hugetlb.2MB.max ../hugetlb.2MB.max; do [ -e $f ] && echo max >$f && echo lifted; done;"
        "echo +hugetlb >cgroup.subtree_control; echo 0 >cpu.max.burst; done; true"
    )
    done = container.exec("sh", "-c", script)
    assert done.stdout == "mounted\n"
    assert own(container, "hugetlb.2MB.max") == str(4 << 20)
    assert own(container, "cpu.max.burst") == "10000"


WITHOUT_UCLAMP = [
    (f"CPUUtilization{end.title()}=50%", f"cpu.uclamp.{end}: this kernel was built without CONFIG_UCLAMP_TASK_GROUP")
    for end in ("min", "max")
]


@ANYWHERE
@pytest.mark.machine("huge pages")
def test_what_this_machine_does_not_have(containers, nsunit):
    name = containers.define(f"{SLEEP}HugeTLBMax=4M 8M\n")
    done = nsunit("start", name, check=False)
    reason = "Failed to set up the control group: this machine has no huge pages of that size ('hugetlb.4MB.max')"
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, f"nsunit: {name}: {reason}")
    container = containers.start(f"{SLEEP}HugeTLBMax=2M 8M\n")
    for assignment, reason in (
        ("MiscMax=sev 4", "misc.max: this machine has no resource 'sev'"),
        ("RDMAMax=mlx4_0 hca_handle=2", "rdma.max: this machine has no RDMA device 'mlx4_0'"),
        *([] if (container.cgroup / "cpu.uclamp.max").exists() else WITHOUT_UCLAMP),
        ("cpu.shares=512", "set: 'cpu.shares': only cgroup version 1 has it"),
    ):
        done = nsunit("set", container.name, "HugeTLBMax=2M 2M", assignment, check=False)
        status = 2 if reason.startswith("set: ") else 1  # what was typed is wrong on any machine
        assert (done.returncode, done.stderr.splitlines()[0]) == (status, f"nsunit: {reason}")
        assert own(container, "hugetlb.2MB.max") == str(8 << 20)
    done = nsunit("set", "--persist", container.name, "HugeTLBMax=2M 2M", check=False)
    assert (done.returncode, "cannot be in a drop-in of a unit" in done.stderr) == (1, True)
    assert nsunit("plan", container.name).stdout == f"{container.name}: runs as its definition says\n"


@ANYWHERE
@pytest.mark.machine("huge pages")
def test_a_container_in_the_foreground_has_them(nsunit, run):
    """The program looks at what the host sees of its own control group."""
    script = "/sys/fs/cgroup/nsunit.slice/nsunit-run.slice/*/hugetlb.2MB.max"
    done = nsunit(
        *("run", "--name=run", "-pNetwork=host", f"-pRootfs={BUSYBOX}", "-pHugeTLBMax=2M 4M"),
        *("-pBindReadOnly=/sys/fs/cgroup:/host", "sh", "-c", f"cat {script.replace('/sys/fs/cgroup', '/host')}"),
    )
    assert done.stdout == f"{4 << 20}\n"


@ANYWHERE
@pytest.mark.machine("controllers")
def test_reclaim(containers, program, nsunit, workplace):
    data = workplace / "data"
    data.write_bytes(bytes(16 << 20))
    os.sync()  # what is not on disk cannot be dropped
    with data.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so that it is the container that has it read
    script = "cat /data >/dev/null; echo end >/tmp/report; exec sleep 1000\n"
    container = containers.start(program(script, f"BindReadOnly={data}:/data"))
    container.report()
    before = int(own(container, "memory.current"))
    assert before > 16 << 20
    done = nsunit("reclaim", container.name, "12M")
    assert done.stdout.startswith(f"{container.name}: ")
    assert int(own(container, "memory.current")) <= before - (12 << 20) + (1 << 20)
    done = nsunit("reclaim", container.name, "1G", check=False)
    assert (done.returncode, "the kernel could not take 1G" in done.stderr) == (1, True)
    assert container.show("ActiveState") == {"ActiveState": "active"}
    nsunit("stop", container.name)
    assert nsunit("reclaim", container.name, "1M", check=False).returncode == 3
