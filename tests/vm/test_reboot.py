"""What is there again after a reboot, without nsunit having run.

The suite's runner reboots the machine between the two tests of each pair (tests/vm/machine/guest_suite.py).
"""

import json
import os
from pathlib import Path

import pytest

BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nExec=sleep 1000\nEnvironment=GREETING=hello\nVolatile=yes\n"
LINK = "/dev/disk/by-id/virtio-scratch"  # udev's, where there is an emulated disk
DISK = os.path.realpath(LINK)
ENABLED = (
    f"{SLEEP}Device={DISK}:/dev/scratch:r\n"
    f"[Slice]\nMemoryMax=100M\nIOReadBandwidthMax={DISK} 5M\nIOWriteIOPSMax=/var 31\n"
    "[Service]\nTasksMax=60\nRestart=on-failure\n"
)
GROUP = "rebooted"
MEMBER = SLEEP + f"Slice={GROUP}\n"
POD = "[Pod]\nNetwork={}\n[Slice]\nMemoryMax=80M\n"
PERSISTED = SLEEP + "[Slice]\nMemoryMax=100M\n[Service]\nTimeoutStopSec=1s\n"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NOTE = Path("/var/lib/nsunit-test-boot-id")

MACHINE = pytest.mark.machine("a reboot")
# What a network needs at boot is the same to each systemd: a service that comes before it.
CONNECTED = pytest.mark.once("a pod without a network is there in each release")
EMULATED = pytest.mark.machine("a reboot and NAT")


@pytest.fixture
def rebooted(real_system):
    """Fail, and do not pass for something else, if the machine was not rebooted meanwhile."""
    assert NOTE.read_text() != BOOT_ID.read_text()


def define(files):
    """Write definitions, and which boot this was."""
    NOTE.write_text(BOOT_ID.read_text())
    Path("/etc/nsunit").mkdir(exist_ok=True)
    for name, text in files.items():
        Path(f"/etc/nsunit/{name}.nsunit").write_text(text)


@MACHINE
@pytest.mark.before_reboot
def test_before_the_reboot(nsunit, run):
    files = {"reboot-enabled": ENABLED, "reboot-persisted": PERSISTED, "reboot-member": MEMBER}
    files |= {"reboot-pod": SLEEP + "Pod=rebooting\n", "rebooting.pod": POD.format("none")}
    define({**files, f"{GROUP}.slice": "[Slice]\nMemoryMax=90M\n"})
    nsunit("enable", "reboot-enabled", "reboot-member", "reboot-pod")
    nsunit("start", "reboot-persisted")
    nsunit("set", "--persist", "reboot-persisted", "MemoryMax=130M")
    nsunit("set", "reboot-persisted", "TasksMax=99")
    assert run("systemctl", "is-active", "nsunit-reboot-enabled.service", check=False).stdout == "inactive\n"


@CONNECTED
@EMULATED
@pytest.mark.before_reboot
def test_before_the_reboot_of_what_is_connected(nsunit):
    container = SLEEP + f"Device={LINK}:/dev/scratch:r\nPod=connected\n"
    define({"reboot-connected": container, "connected.pod": POD.format("bridge")})
    nsunit("enable", "reboot-connected")


@MACHINE
@pytest.mark.after_reboot
def test_an_enabled_container_runs(rebooted, containers, nsunit, run):
    container = containers.of(containers.own("reboot-enabled"))
    # What was not started by the boot itself has come after this.
    stamp = "ActiveEnterTimestampMonotonic"
    assert int(container.show(stamp)[stamp]) <= int(container.show(stamp, unit="multi-user.target")[stamp])
    assert container.show("ActiveState", "Result") == {"ActiveState": "active", "Result": "success"}
    assert container.status()["Seccomp"] == "2"
    assert "GREETING=hello" in container.proc("environ").split("\0")
    assert container.limit("memory.max") == str(100 << 20)
    assert (container.cgroup / container.service / "pids.max").read_text() == "60\n"
    shown = container.exec("cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max").stdout
    assert shown == f"{100 << 20}\n60\n"
    root, scratch = (f"{os.major(it)}:{os.minor(it)}" for it in (os.stat("/").st_dev, os.stat(DISK).st_rdev))
    assert set(container.limit("io.max").splitlines()) == {
        f"{root} rbps=max wbps=max riops=max wiops=31",
        f"{scratch} rbps=5000000 wbps=max riops=max wiops=max",
    }
    container.exec("dd", "if=/dev/scratch", "of=/dev/null", "count=1")
    assert container.exec("dd", "if=/dev/zero", "of=/dev/scratch", "count=1", check=False).returncode == 1
    assert nsunit("plan", container.name).stdout == f"{container.name}: runs as its definition says\n"
    assert nsunit("start", container.name).stdout == f"{container.name}: is already running\n"
    assert container.exec("hostname").stdout == f"{container.name}\n"
    nsunit("disable", "--now", container.name)
    assert run("systemctl", "show", "-P", "LoadState", container.service).stdout == "not-found\n"
    Path(f"/etc/nsunit/{container.name}.nsunit").unlink()
    nsunit("rm", container.name)


@MACHINE
@pytest.mark.after_reboot
def test_a_group_has_its_limits(rebooted, containers, nsunit):
    container = containers.of(containers.own("reboot-member"), GROUP)
    assert container.pid
    assert (container.group_cgroup / "memory.max").read_text() == f"{90 << 20}\n"
    assert container.exec("cat", "/sys/fs/cgroup/memory.max").stdout == f"{90 << 20}\n"
    assert nsunit("plan", f"{GROUP}.slice").stdout == f"{GROUP}.slice: runs as its definition says\n"
    nsunit("disable", "--now", container.name)
    assert list(Path("/etc/systemd/system").rglob(f"nsunit-{GROUP}*")) == []
    for name in (container.name, f"{GROUP}.slice"):
        Path(f"/etc/nsunit/{name}.nsunit").unlink()
    nsunit("rm", container.name)


def gone(nsunit, name, pod):
    """Take a pod and its container back."""
    nsunit("disable", "--now", f"{pod}.pod")
    assert list(Path("/etc/systemd/system").rglob(f"*{pod}*")) == []
    nsunit("rm", name, f"{pod}.pod")
    for definition in (name, f"{pod}.pod"):
        Path(f"/etc/nsunit/{definition}.nsunit").unlink()


def pod_of(containers, nsunit, name, pod):
    """A container that is in its pod, as it says."""
    container = containers.of(containers.own(name), pod)
    assert nsunit("start", name).stdout == f"{name}: is already running\n"
    for kind in ("user", "net", "ipc", "uts"):
        pin = Path(f"/run/nsunit/namespaces/{pod}.pod/{kind}")
        assert os.stat(pin).st_ino == os.stat(f"/proc/{container.pid}/ns/{kind}").st_ino
    assert (container.group_cgroup / "memory.max").read_text() == f"{80 << 20}\n"
    assert nsunit("plan", name).stdout == f"{name}: runs as its definition says\n"
    return container


@MACHINE
@pytest.mark.after_reboot
def test_a_pod_is_there_for_a_container(rebooted, containers, nsunit):
    container = pod_of(containers, nsunit, "reboot-pod", "rebooting")
    gone(nsunit, container.name, "rebooting")


@CONNECTED
@EMULATED
@pytest.mark.after_reboot
def test_a_pod_has_its_network_again(rebooted, containers, nsunit):
    container = pod_of(containers, nsunit, "reboot-connected", "connected")
    status = json.loads(nsunit("status", "--json", "connected.pod").stdout)[0]
    address = status["addresses"][0]
    assert address in container.exec("ip", "address", "show", "eth0").stdout
    assert address.partition("/")[0] in (container.root / "etc/hosts").read_text()
    container.exec("dd", "if=/dev/scratch", "of=/dev/null", "count=1")
    gone(nsunit, container.name, "connected")


@MACHINE
@pytest.mark.after_reboot
def test_what_was_set_for_good_holds_and_what_was_set_for_a_run_does_not(rebooted, containers, nsunit):
    container = containers.of(containers.own("reboot-persisted"))
    assert container.show("LoadState") == {"LoadState": "not-found"}
    nsunit("start", container.name)
    assert container.limit("memory.max") == str(130 << 20)
    assert container.limit("pids.max") == "1024"
    nsunit("stop", container.name)
    nsunit("rm", container.name)
    Path(f"/etc/nsunit/{container.name}.nsunit").unlink()
