"""Each controller of systemd.resource-control(5) on its own: what is set is exceeded on purpose, and does not get by.

The quota, CPUs, the memory limit, tasks and the bandwidth of writes are in test_limits.py.
"""

import contextlib
import os
import shutil
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("the kernel keeps to what its files have, which systemd writes in other tests")
BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"
MIB = 1 << 20


def service_file(container, file):
    return (container.cgroup / container.service / file).read_text().strip()


def number(container, file, key):
    """A number of a flat keyed file of the container's slice."""
    return int(dict(line.split()[:2] for line in container.limit(file).splitlines())[key])


def node_bytes(container, kind, node):
    """How much memory of a kind the container has on a memory node."""
    line = next(line for line in container.limit("memory.numa_stat").splitlines() if line.split()[0] == kind)
    return int(dict(word.split("=") for word in line.split()[1:])[f"N{node}"])


# CPU


@ANYWHERE
@pytest.mark.machine("controllers")
def test_weights_share_a_processor(containers, nsunit):
    spin = SLEEP.replace("sleep 1000", "sh -c 'while :; do :; done'") + "[Slice]\nAllowedCPUs=1\n"
    light, heavy = containers.start(spin + "CPUWeight=50\n"), containers.start(spin + "CPUWeight=1000\n")

    def ratio():
        before = [number(container, "cpu.stat", "usage_usec") for container in (light, heavy)]
        time.sleep(2)
        after = [number(container, "cpu.stat", "usage_usec") for container in (light, heavy)]
        return (after[1] - before[1]) / max(after[0] - before[0], 1)

    assert ratio() > 5  # 20 by the weights
    nsunit("set", heavy.name, "CPUWeight=50")
    assert 1 / 3 < ratio() < 3
    nsunit("set", heavy.name, "CPUWeight=idle")
    assert heavy.limit("cpu.idle") == "1"
    assert ratio() < 1 / 5


@ANYWHERE
@pytest.mark.machine("controllers")
def test_quota_is_counted_in_its_period(containers, nsunit):
    spin = SLEEP.replace("sleep 1000", "sh -c 'while :; do :; done'")
    container = containers.start(spin + "[Slice]\nCPUQuota=20%\nCPUQuotaPeriodSec=1s\n")

    def periods():
        before = number(container, "cpu.stat", "nr_periods")
        time.sleep(3)
        return number(container, "cpu.stat", "nr_periods") - before

    assert periods() <= 10
    nsunit("set", container.name, "CPUQuotaPeriodSec=10ms")
    assert container.limit("cpu.max") == "2000 10000"
    assert periods() >= 50


# Memory


@ANYWHERE
@pytest.mark.machine("cpuset")
def test_memory_comes_from_the_allowed_nodes(containers, nsunit):
    """The machine has a second node without processors, which nothing uses by itself."""
    container = containers.start(SLEEP + "Tmpfs=/data\n[Slice]\nAllowedMemoryNodes=1\n")
    write = "dd if=/dev/zero of=/data/{} bs=1M count=8 2>/dev/null"
    container.exec("sh", "-c", write.format("a"))
    # What the helper has noted for 'nsunit analyze' is a page of a tmpfs as well.
    assert node_bytes(container, "shmem", 0) == 0
    assert 8 * MIB <= node_bytes(container, "shmem", 1) < 9 * MIB
    nsunit("set", container.name, "AllowedMemoryNodes=", "AllowedMemoryNodes=0")
    container.exec("sh", "-c", write.format("b"))
    assert node_bytes(container, "shmem", 0) >= 8 * MIB


@pytest.fixture(scope="module")
def big_files(workplace):
    """Two files on the disk that nobody has read yet: 12 and 16 MiB."""
    for name, size in (("own", 12), ("other", 16)):
        path = workplace / name
        path.write_bytes(b"nsunit!\n" * (size * MIB // 8))
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return workplace


def forget(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


@ANYWHERE
@pytest.mark.machine("controllers")
@pytest.mark.parametrize("key", ["MemoryMin", "MemoryLow"])
def test_protected_memory_is_taken_last(containers, program, nsunit, big_files, key):
    """The program keeps its cache while the kernel takes memory from the slice, where an exec session had some too."""
    forget(big_files / "own")
    forget(big_files / "other")
    script = "cat /files/own >/dev/null; echo end >/tmp/report; exec sleep 1000\n"
    container = containers.start(program(script, f"BindReadOnly={big_files}:/files", "[Service]", f"{key}=20M"))
    container.report()

    def cached():
        return int(dict(line.split() for line in service_file(container, "memory.stat").splitlines())["file"])

    def take(size):
        with contextlib.suppress(BlockingIOError):  # the kernel has found less
            (container.cgroup / "memory.reclaim").write_text(size)

    assert cached() >= 12 * MIB
    container.exec("sh", "-c", "cat /files/other >/dev/null")
    take("10M")
    assert cached() >= 12 * MIB
    if key == "MemoryMin":
        take("100M")
        assert cached() >= 12 * MIB
    nsunit("set", container.name, f"Service.{key}=0")
    take("100M")
    assert cached() < 6 * MIB


@ANYWHERE
@pytest.mark.machine("controllers")
def test_above_memory_high_processes_are_slowed_down(containers, program):
    container = containers.start(program("sleep 1; tail /dev/zero", "", "[Slice]", "MemoryHigh=24M", "MemorySwapMax=0"))
    wait_until(lambda: number(container, "memory.events", "high"), "memory.high being reached")
    time.sleep(3)  # without the limit it takes 100 MiB a second and more
    assert int(container.limit("memory.current")) < 40 * MIB
    assert number(container, "memory.events", "oom_kill") == 0
    assert container.show("ActiveState") == {"ActiveState": "active"}


@pytest.fixture
def swap(scratch_disk, run):
    """Have swap on the scratch disk, which is left as it was found."""
    run("mkswap", scratch_disk)
    run("swapon", scratch_disk)
    yield
    run("swapoff", scratch_disk)
    with open(scratch_disk, "r+b") as file:
        file.write(bytes(MIB))
        os.fsync(file.fileno())


FILL = "yes nsunit | head -c 28000000 >/data/{}; echo end >/tmp/report; exec sleep 1000\n"


@ANYWHERE
@pytest.mark.machine("controllers")
def test_swap_is_limited(containers, program, nsunit, swap):
    limits = ("[Slice]", "MemoryMax=24M")
    container = containers.start(program(FILL.format("a"), "Tmpfs=/data:size=200M", "MemorySwapHigh=1M", *limits))
    wait_until(lambda: "high 0" not in service_file(container, "memory.swap.events"), "memory.swap.high being reached")
    # It hardly gets on until the limit is lifted.
    assert not (container.root / "tmp/report").exists()
    nsunit("set", container.name, "MemorySwapHigh=")
    container.report()
    used = int(container.limit("memory.swap.current"))
    assert used > 2 * MIB
    nsunit("set", container.name, f"MemorySwapMax={used + 2 * MIB}")
    done = container.exec("sh", "-c", "head -c 28000000 /dev/zero >/data/b", check=False)
    assert done.returncode != 0
    assert number(container, "memory.events", "oom_kill") > 0
    assert int(container.limit("memory.swap.current")) <= used + 2 * MIB


@pytest.fixture
def zswap():
    enabled = Path("/sys/module/zswap/parameters/enabled")
    before = enabled.read_text()
    enabled.write_text("Y")
    yield
    enabled.write_text(before)


@pytest.mark.machine("controllers")
def test_compressed_swap_is_limited(containers, program, nsunit, swap, zswap, run):
    limits = ("[Slice]", "MemoryMax=24M")
    text = program(FILL.format("a"), "Tmpfs=/data:size=200M", *limits)
    version = int(run("systemctl", "--version").stdout.split()[1])
    if version < 253:
        done = nsunit("start", containers.define(text + "MemoryZSwapMax=0\n"), check=False)
        assert f"MemoryZSwapMax needs systemd 253, this machine has {version}" in done.stderr
        return
    first = containers.start(text)
    first.report()
    assert int(first.limit("memory.zswap.current")) > 0
    second = containers.start(text + "MemoryZSwapMax=0\n")
    second.report()
    assert int(second.limit("memory.swap.current")) > 2 * MIB
    assert second.limit("memory.zswap.current") == "0"


# IO


@pytest.fixture
def disk(scratch_disk):
    """A disk that is left as it was found."""
    yield scratch_disk
    with open(scratch_disk, "r+b") as file:
        file.write(bytes(4 * MIB))
        os.fsync(file.fileno())


def disk_container(containers, disk, *more):
    lines = ("[Container]", f"Rootfs={BUSYBOX}", "Volatile=yes", "Exec=sleep 1000", f"Bind={disk}:/disk")
    service = ("PrivateUsers=no", "[Service]", f"DeviceAllow={disk} rw")
    return containers.start("\n".join((*lines, *service, "[Slice]", *more, "")))


def limits_of(container, disk):
    device = os.stat(disk).st_rdev
    lines = (line.split() for line in container.limit("io.max").splitlines())
    return {words[0]: words[1:] for words in lines}.get(f"{os.major(device)}:{os.minor(device)}")


@ANYWHERE
@pytest.mark.machine("controllers")
def test_reads_and_writes_are_limited(containers, disk, nsunit):
    """A limit can only make it slower, so the least time that it takes is all that is asked for."""
    container = disk_container(containers, disk, f"IOReadBandwidthMax={disk} 1M")

    def least(seconds, *words):
        begin = time.monotonic()
        container.exec("dd", *words)
        assert time.monotonic() - begin > seconds

    least(3, "if=/disk", "of=/dev/null", "bs=1M", "count=5", "iflag=direct")
    nsunit("set", container.name, "IOReadBandwidthMax=", f"IOReadIOPSMax={disk} 20")
    assert limits_of(container, disk) == ["rbps=max", "wbps=max", "riops=20", "wiops=max"]
    least(3, "if=/disk", "of=/dev/null", "bs=4k", "count=100", "iflag=direct")
    nsunit("set", container.name, "IOReadIOPSMax=", f"IOWriteIOPSMax={disk} 20")
    least(3, "if=/dev/zero", "of=/disk", "bs=4k", "count=100", "seek=256", "oflag=direct")


@pytest.fixture
def overlay(disk, workplace, run):
    """An overlay of a directory on the scratch disk and one on the disk of the root."""
    below, merged = workplace / "below", workplace / "merged"
    for name in ("below", "merged", "upper", "work"):
        (workplace / name).mkdir()
    run("mke2fs", "-q", "-F", "-t", "ext4", disk)
    run("mount", "-t", "ext4", disk, str(below))  # udevd may tell mount(8) still what was on it before
    run(
        *("mount", "-t", "overlay", "-o"),
        f"lowerdir={below},upperdir={workplace}/upper,workdir={workplace}/work",
        *("overlay", str(merged)),
    )
    yield merged
    run("umount", str(merged), str(below))
    for name in ("below", "merged", "upper", "work"):
        shutil.rmtree(workplace / name)


@ANYWHERE
@pytest.mark.machine("controllers")
def test_an_overlay_is_the_disks_below_it(containers, disk, overlay, nsunit):
    limit = SLEEP + f"[Slice]\nIOReadBandwidthMax={overlay} 5M\n"
    container = containers.start(limit)
    root = os.stat("/").st_dev
    for device in (root, os.stat(disk).st_rdev):
        line = f"{os.major(device)}:{os.minor(device)} rbps=5000000 wbps=max riops=max wiops=max"
        assert line in container.limit("io.max").splitlines()
    done = nsunit("set", "--persist", container.name, f"IOWriteIOPSMax={overlay} 7", check=False)
    assert (done.returncode, "is on an overlay, where systemd finds no disk" in done.stderr) == (1, True)
    assert "wiops=7" not in container.limit("io.max")
    nsunit("set", container.name, f"IOWriteIOPSMax={overlay} 7")
    assert container.limit("io.max").count("wiops=7") == 2
    for path, reason in (("/run", "is on no disk"), ("/nonexistent", "does not exist")):
        name = containers.define(limit.replace(str(overlay), path))
        done = nsunit("start", name, check=False)
        assert f"[Slice] IOReadBandwidthMax: '{path}' {reason}" in done.stderr
        assert done.returncode == 1


@pytest.mark.machine("controllers")
def test_limits_of_disks_stay(containers, disk, overlay, nsunit, run):
    """By a device and a directory; systemd reads its own notes of them when it begins anew."""
    root, scratch = (f"{os.major(it)}:{os.minor(it)}" for it in (os.stat("/").st_dev, os.stat(disk).st_rdev))
    lines = ("IOReadBandwidthMax={} 5M", f"IOWriteIOPSMax={disk} 20", "IOReadIOPSMax=/var 31")
    text = "\n".join((f"{SLEEP}[Slice]", *lines, f"IODeviceLatencyTargetSec={disk} 35ms", ""))
    refused = nsunit("start", containers.define(text.format(overlay)), check=False)
    assert f"IOWriteIOPSMax: '{disk}' is on the same disk as '{overlay.parent}/below'" in refused.stderr
    name = containers.define(text.format(disk))
    told = nsunit("start", name).stderr
    container = containers.of(name)
    # Not in every kernel, and not in Debian's.
    assert (container.cgroup / "io.latency").exists() != ("IODeviceLatencyTargetSec= has no effect" in told)
    limits = {f"{root} rbps=max wbps=max riops=31 wiops=max", f"{scratch} rbps=5000000 wbps=max riops=max wiops=20"}

    def hold():
        assert set(container.limit("io.max").splitlines()) == limits
        if (container.cgroup / "io.latency").exists():
            assert container.limit("io.latency") == f"{scratch} target=35000"

    hold()
    change = ("set-property", "--runtime", container.slice, "CPUWeight=77")
    for words in (("daemon-reexec",), change, ("daemon-reload",)):
        run("systemctl", *words)
        hold()


@pytest.fixture
def fair_queue(disk, run):
    """Have a scheduler on the disk that knows weights, and none as before in the end."""
    run("modprobe", "bfq")
    scheduler = Path(f"/sys/block/{os.path.basename(disk)}/queue/scheduler")
    scheduler.write_text("bfq")
    yield
    scheduler.write_text("none")


@ANYWHERE
@pytest.mark.machine("weights of disks")
def test_weights_share_a_disk(containers, disk, fair_queue, nsunit):
    read = "sh -c 'while :; do dd if=/disk of=/dev/null bs=4M iflag=direct 2>/dev/null; done'"
    lines = SLEEP.replace("sleep 1000", read) + f"Bind={disk}:/disk\nPrivateUsers=no\n"
    lines += f"[Service]\nDeviceAllow={disk} r\n[Slice]\n"
    device = os.stat(disk).st_rdev

    def bytes_read(container):
        for line in container.limit("io.stat").splitlines():
            name, *values = line.split()
            if name == f"{os.major(device)}:{os.minor(device)}":
                return int(dict(value.split("=") for value in values)["rbytes"])
        return 0

    light = containers.start(lines + "IOWeight=10\n")
    heavy = containers.start(lines + f"IODeviceWeight={disk} 1000\n")

    def heavy_has_more():
        before = [bytes_read(container) for container in (light, heavy)]
        time.sleep(3)
        after = [bytes_read(container) for container in (light, heavy)]
        return after[1] - before[1] > 3 * (after[0] - before[0])

    # While the processor is busy with something else, both wait for that and not for the disk.
    wait_until(heavy_has_more, "heavy to read three times as much")


# Devices


@pytest.mark.machine("virtio disks")
def test_a_class_of_devices(containers, scratch_disk):
    lines = SLEEP + f"Bind={scratch_disk}:/disk\nPrivateUsers=no\n[Service]\n"
    with_class = containers.start(lines + "DeviceAllow=block-virtblk r\n")
    with_class.exec("dd", "if=/disk", "of=/dev/null", "count=1")
    assert with_class.exec("dd", "if=/dev/zero", "of=/disk", "count=1", check=False).returncode == 1
    other_class = containers.start(lines + "DeviceAllow=char-* rwm\n")
    assert "can't open" in other_class.exec("dd", "if=/disk", "of=/dev/null", "count=1", check=False).stderr


TRY_NODES = """
for node in null zero urandom; do dd if=/dev/$node of=/tmp/x bs=1 count=1 2>/dev/null; echo $node $? >>/tmp/tried; done
echo end >>/tmp/tried; mv /tmp/tried /tmp/report; exec sleep 1000
"""


def test_a_strict_policy_allows_nothing_else(containers, program):
    lines = ("[Service]", "DevicePolicy=strict", "DeviceAllow=/dev/null rw")
    assert containers.start(program(TRY_NODES, "", *lines)).report() == "null 0\nzero 1\nurandom 1\n"


# The freezer


def test_what_is_frozen_uses_no_time(containers, nsunit):
    container = containers.start(SLEEP.replace("sleep 1000", "sh -c 'while :; do :; done'"))
    nsunit("pause", container.name)
    before = number(container, "cpu.stat", "usage_usec")
    time.sleep(1)
    assert number(container, "cpu.stat", "usage_usec") == before
    nsunit("resume", container.name)
    wait_until(lambda: number(container, "cpu.stat", "usage_usec") != before, "any work after the resume")


# The network

TALK = """
import errno, socket, sys
def outcome(deed):
    try:
        deed()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def send(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (address, 9))
def bind(kind, port):
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", port))
for address in "127.0.0.1", "127.0.0.2", "192.0.2.2":
    print(address, outcome(lambda: send(address)))
for kind, name in (socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp"):
    for port in 8000, 8001:
        print(name, port, outcome(lambda: bind(kind, port)))
"""
ALL_DONE = "127.0.0.1 done|127.0.0.2 done|192.0.2.2 done|tcp 8000 done|tcp 8001 done|udp 8000 done|udp 8001 done"


@pytest.fixture(scope="module")
def second_interface(run):
    run("ip link add nsunit-test type veth peer name nsunit-peer; ip link set nsunit-peer up")
    run("ip address add 192.0.2.1/24 dev nsunit-test; ip link set nsunit-test up")
    yield "nsunit-test"
    run("ip link delete nsunit-test")


def test_network_filters(containers, second_interface, nsunit, run):
    root = SLEEP.replace(BUSYBOX, "/srv/roots/debian")
    container = containers.start(root + "Network=host\n[Slice]\nIPAccounting=yes\n")

    def talk():
        return "|".join(container.exec("python3", "-SIc", TALK).stdout.splitlines())

    assert talk() == ALL_DONE
    counted = container.show("IPEgressPackets", unit=container.slice)["IPEgressPackets"]
    assert int(counted) >= 3
    nsunit("set", container.name, "IPAddressDeny=any", "IPAddressAllow=127.0.0.2")
    assert talk() == ALL_DONE.replace("127.0.0.1 done", "127.0.0.1 EPERM").replace("192.0.2.2 done", "192.0.2.2 EPERM")
    nsunit("set", container.name, "IPAddressDeny=", "IPAddressAllow=")
    framework = "+BPF_FRAMEWORK" in run("systemctl", "--version").stdout
    filters = ("SocketBindDeny=any", "SocketBindAllow=ipv4:tcp:8000")
    if not framework:
        for key in (filters[0], f"RestrictNetworkInterfaces=~{second_interface}"):
            done = nsunit("set", container.name, key, check=False)
            assert done.returncode == 1
            assert f"{key.partition('=')[0]}= would be ignored" in done.stderr
        return
    nsunit("set", container.name, *filters)
    denied = ALL_DONE
    for what in ("tcp 8001", "udp 8000", "udp 8001"):
        denied = denied.replace(f"{what} done", f"{what} EPERM")
    assert talk() == denied
    nsunit("set", container.name, "CPUWeight=200")  # systemd attaches all anew, and is to let go of the former
    assert talk() == denied
    nsunit("set", container.name, "SocketBindDeny=", "SocketBindAllow=")
    assert talk() == ALL_DONE
    nsunit("set", container.name, f"RestrictNetworkInterfaces=~{second_interface}")
    assert talk() == ALL_DONE.replace("192.0.2.2 done", "192.0.2.2 EPERM")
