"""`Boot=yes`: a whole system inside, from a root that is the machine's own, with writes to a tmpfs."""

import json
import os
import select
import shutil
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

# The machine's agent would wait for a serial port inside as well.
BOOT = """[Container]
Layer=/
Volatile=yes
Boot=yes
BindReadOnly=/dev/null:/etc/systemd/system/test-agent.service
[Service]
TimeoutStartSec=250
TimeoutStopSec=200
"""
BOOT_SECONDS = 200  # that a whole system may take
# One session for all that is asked inside: each takes its time.
LOOK = """
say() { echo "$1=$(shift; "$@" 2>&1)"; }
say state systemctl is-system-running
say failed systemctl --failed --plain --no-legend
say target systemctl is-active multi-user.target
say virtualization systemd-detect-virt --container
say manager cat /run/host/container-manager
say release sed -n s/^PRETTY_NAME=//p /run/host/os-release
say uuid cat /run/host/container-uuid
say machine_id cat /etc/machine-id
say hostname hostname
say console sh -c 'echo from the console >/dev/console && stat -c %t:%T /dev/console'
sysctl -q net.ipv4.ip_default_ttl=33
say ttl sysctl -n net.ipv4.ip_default_ttl
say limit systemd-run --quiet --pipe --wait -p MemoryMax=33M sh -c \
    'exec cat /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max'
say credential systemd-run --quiet --pipe --wait -p LoadCredential=nst.key sh -c 'cat $CREDENTIALS_DIRECTORY/nst.key'
say tasks cat /sys/fs/cgroup/pids.max
say mount sh -c 'mkdir /tmp/m && mount -t tmpfs none /tmp/m && umount /tmp/m && echo done'
refused() { sh -c "$1" >/dev/null 2>&1 && echo "allowed=$1"; }
refused 'echo 1G >/sys/fs/cgroup/memory.max'
refused 'mount -t ext4 /dev/vda /mnt'
refused 'mknod /tmp/disk b 254 0'
refused 'echo b >/proc/sysrq-trigger'
refused 'echo 1 >/proc/sys/kernel/panic'
refused 'date -s 2001-01-01'
logger only inside
"""


@pytest.fixture(scope="module")
def system(shared):
    """The system that most tests look at; it is up when the start returns."""
    return shared.start(f"{BOOT}SetCredential=nst.key:given\n", "boot-os")


def main_pid(container):
    return int(container.show("MainPID")["MainPID"])


@pytest.fixture(scope="module")
def seen(system):
    """What it says of itself, right after the start."""
    lines = system.exec("sh", "-c", LOOK).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_its_services_can_load_the_credentials_it_was_given(seen):
    assert seen["credential"] == "given"


def test_it_is_up_when_the_start_returns(system, seen):
    assert (seen["state"], seen["failed"], seen["target"]) == ("running", "", "active")
    assert Path(f"/proc/{main_pid(system)}/comm").read_text() == "systemd\n"
    shown = system.show("KillSignal", "StatusText")
    assert shown["KillSignal"] == "37"
    assert shown["StatusText"]  # the system inside has told it


def test_it_knows_that_it_is_a_container(system, seen):
    assert (seen["virtualization"], seen["manager"], seen["hostname"]) == ("container-other", "nsunit", "boot-os")
    assert seen["release"].strip('"') in Path("/etc/os-release").read_text()
    assert seen["machine_id"] == seen["uuid"] != Path("/etc/machine-id").read_text().strip()
    environment = Path(f"/proc/{main_pid(system)}/environ").read_text().split("\0")
    assert {
        *("container=nsunit", f"container_uuid={seen['uuid']}", "NOTIFY_SOCKET=/run/host/notify"),
    } <= set(environment)


def test_its_file_systems(system, seen):
    mounts = {line.split()[4]: line for line in Path(f"/proc/{main_pid(system)}/mountinfo").read_text().splitlines()}
    types = {path: mounts[path].partition(" - ")[2].split()[0] for path in ("/run", "/tmp", "/sys/fs/cgroup")}
    assert types == {"/run": "tmpfs", "/tmp": "tmpfs", "/sys/fs/cgroup": "cgroup2"}
    options = {path: mounts[path].split()[5].split(",")[0] for path in ("/sys/fs/cgroup", "/proc/sys", "/proc/sys/net")}
    assert options == {"/sys/fs/cgroup": "rw", "/proc/sys": "ro", "/proc/sys/net": "rw"}
    assert (seen["ttl"], Path("/proc/sys/net/ipv4/ip_default_ttl").read_text()) == ("33", "64\n")


@pytest.mark.machine("controllers")
def test_its_cgroups_are_its_own(system, seen, run):
    unit = system.cgroup / system.service
    payload = unit / "payload"
    start = int(Path(f"/proc/{main_pid(system)}/uid_map").read_text().split()[1])
    delegated = [name for name in Path("/sys/kernel/cgroup/delegate").read_text().split() if (payload / name).exists()]
    assert {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} <= set(delegated)
    owners = {(os.stat(payload / name).st_uid, os.stat(payload / name).st_gid) for name in ("", *delegated)}
    assert owners == {(start, start)}
    assert {os.stat(path).st_uid for path in (payload / "memory.max", unit / "cgroup.procs")} == {0}
    assert {"cpu", "io", "memory", "pids"} <= set((payload / "cgroup.controllers").read_text().split())
    assert seen["limit"] == str(33 << 20)
    # That of its slice, and what that becomes: its own group has none, and cannot show the slice's.
    assert seen["tasks"] == "16384"
    run("systemctl", "set-property", "--runtime", system.slice, "TasksMax=9999")
    shown = Path(f"/proc/{main_pid(system)}/root/sys/fs/cgroup/pids.max")
    wait_until(lambda: shown.read_text() == "9999\n", "the limit inside")
    assert (unit / "cgroup.procs").read_text() == ""
    assert (unit / "console/cgroup.procs").read_text().count("\n") == 1


def test_it_stays_within_its_bounds(seen):
    """It has capabilities, but in a user namespace: nothing of the host is within reach."""
    assert seen["mount"] == "done"
    assert "allowed" not in seen


def test_its_console_and_its_journal(system, seen, nsunit, run):
    assert seen["console"] == "88:0"  # a terminal of its own devpts
    wait_until(
        lambda: "from the console" in (said := nsunit("logs", "-o", "cat", system.name).stdout) and said,
        timeout=BOOT_SECONDS,
    )
    said = nsunit("logs", "-o", "cat", system.name).stdout.splitlines()
    assert [line for line in said if "Reached target" in line and "multi-user.target" in line]
    assert "only inside" not in said
    wait_until(
        lambda: "only inside\n" in run("journalctl", "-q", "-M", system.name, "-o", "cat").stdout, timeout=BOOT_SECONDS
    )


def test_machinectl(system, seen, run):
    """systemd-machined learned of it from the unit, before the start had returned."""
    lines = run("machinectl", "show", system.name).stdout.splitlines()
    shown = dict(line.split("=", 1) for line in lines if "=" in line)
    assert {key: shown[key] for key in ("Service", "Class", "Unit", "Id", "Leader")} == {
        "Service": "nsunit",
        "Class": "container",
        "Unit": system.service,
        "Id": seen["machine_id"],
        "Leader": str(main_pid(system)),
    }
    assert system.name in run("machinectl", "list", "--no-legend").stdout.split()
    assert system.service in run("machinectl", "status", "--no-pager", "--lines=0", system.name).stdout
    shell = f"machinectl shell {system.name} /bin/sh -c 'echo name=$(hostname)'"
    assert "name=boot-os" in run("script", "-qec", shell, "/dev/null").stdout
    # As the system's own service it is given a session of logind's; an exec's cannot be moved into one.
    assert run("systemd-run", "-qM", system.name, "--wait", "--pipe", "su", "-c", "id -u").stdout == "0\n"
    failed = ("systemctl", "list-units", "--failed", "--plain", "--no-legend", "session-*")
    assert system.exec("runuser", "-u", "nobody", "--", "id", "-u").stdout == "65534\n"
    assert system.exec(*failed).stdout == ""
    if int(run("systemctl", "--version").stdout.split()[1]) > 252:  # there pam_systemd waits for two minutes
        assert system.exec("su", "-c", "id -u").stdout == "0\n"
        assert "session-c" in system.exec(*failed).stdout
        system.exec("systemctl", "reset-failed")


def test_a_reboot_inside_is_a_restart_and_a_stop_a_shutdown(system, nsunit, run):
    """The last one that needs it."""

    def shutdowns():
        said = nsunit("logs", "-o", "cat", system.name).stdout
        return [said.count(words) for words in ("Reached target shutdown.target", "Deactivated successfully")]

    before, earlier = main_pid(system), shutdowns()
    system.exec("systemctl", "reboot")
    wait_until(
        lambda: system.show("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"},
        timeout=BOOT_SECONDS,
    )
    assert main_pid(system) != before
    assert f"Leader={main_pid(system)}" in run("machinectl", "show", system.name).stdout.splitlines()
    done = nsunit("stop", system.name, timeout=250)
    assert (done.stdout, done.stderr) == ("", "")
    assert [ends - before for ends, before in zip(shutdowns(), earlier, strict=True)] == [2, 2]
    assert system.name not in run("machinectl", "list", "--no-legend").stdout.split()


@pytest.fixture
def networkd():
    """A layer in which systemd-networkd is enabled, and whatever waits for the network is waited for."""
    layer = Path("/run/networkd-layer")  # not on the disk: that is a layer itself
    own = layer / "etc/systemd/system"
    wanted = {"multi-user": "network-online.target", "network-online": "systemd-networkd-wait-online.service"}
    for target, unit in wanted.items():
        (own / f"{target}.target.wants").mkdir(parents=True)
        (own / f"{target}.target.wants/{unit}").symlink_to(f"/usr/lib/systemd/system/{unit}")
    shutil.copy("/usr/lib/systemd/system/systemd-networkd.service", own)  # masked in the machine
    (own / "multi-user.target.wants/systemd-networkd.service").symlink_to("../systemd-networkd.service")
    yield layer
    shutil.rmtree(layer)


@pytest.mark.kernel("nftables")
def test_its_network_is_online(containers, networkd, nsunit):
    """systemd-networkd inside takes over what is there: nobody waits for it, and nothing changes."""
    text = BOOT.replace("[Container]\n", f"[Container]\nLayer={networkd}\nNetwork=bridge\n")
    container = containers.start(text, "boot-online")
    shown = json.loads(nsunit("network", "list", "--json").stdout)
    (given,) = [row["addresses"] for net in shown for row in net["containers"] if row["container"] == container.name]
    look = """
        systemctl is-system-running
        systemctl is-active systemd-networkd-wait-online.service
        networkctl list --no-legend eth0 | tr -s ' ' | cut -d ' ' -f 5-6
        ip -o addr show dev eth0 scope global | tr -s ' ' | cut -d ' ' -f 4
        echo $(ip -4 route show default)
        sysctl -q net.ipv4.conf.eth0.arp_filter=1 && findmnt -no OPTIONS /proc/sys/net | cut -c 1-2
    """
    state, waited, managed, *addresses, route, written = container.exec("sh", "-c", look).stdout.splitlines()
    assert (state, waited, managed.strip(), written) == ("running", "active", "routable configured", "rw")
    assert addresses == given
    assert route == "default via 10.91.0.1 dev eth0 proto static"


def test_run_in_the_foreground(containers):
    """Its console is the command's, and a power-off inside is a good end."""
    name = containers.own("boot-run")
    words = [word for line in BOOT.splitlines() if "=" in line and "TimeoutStart" not in line for word in ("-p", line)]
    command = ["nsunit", "run", "--name", name, *words, "/sbin/init", "systemd.unit=basic.target"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as session:
        try:
            output = read_until(session.stdout, b"Reached target basic.target")
            containers.of(name).exec("systemctl", "poweroff", "--no-block")
            output += read_until(session.stdout, b"")
            assert session.wait(100) == 0
        finally:
            session.kill()
    assert b"shutdown.target" in output


def read_until(stream, text, timeout=200):
    """Return what comes until *text* is there, or until its end if that is empty."""
    found = b""
    while not text or text not in found:
        assert select.select([stream], [], [], timeout)[0], found
        chunk = os.read(stream.fileno(), 4096)
        if not chunk:
            assert not text, found
            break
        found += chunk
    return found
