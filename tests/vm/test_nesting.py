"""Nesting=: user namespaces inside that mount /proc and /sys of their own, and what they do not open."""

from pathlib import Path

from waiting import wait_until

PLAIN = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
Exec=/bin/sh -c '{} > /tmp/said 2>&1; exec sleep 1000000'
User=1000
Tmpfs=/tmp:mode=1777
"""
NEST = "unshare -Urpf --mount-proc readlink /proc/self"
# Paths by which the host's root could change the host, as root inside sees them.
WRITE = """
for path in sys/kernel/panic sys/kernel/core_pattern sysrq-trigger; do
    (echo 1 >/run/host/proc/$path) 2>/dev/null && echo $path
done
(echo 1 >/run/host/sys/kernel/uevent_helper) 2>/dev/null && echo uevent_helper
cat /run/host/proc/kcore >/dev/null 2>&1 && echo kcore
echo end
"""
SYSTEM = """[Container]
Layer=/
Volatile=yes
Boot=yes
Nesting=yes
Device=/dev/net/tun
Tmpfs=/srv/pod:mode=1777
BindReadOnly=/dev/null:/etc/systemd/system/test-agent.service
[Service]
TimeoutStartSec=250
TimeoutStopSec=200
"""
INSIDE = """
useradd -m pod && echo pod:10000:50000 | tee /etc/subuid >/etc/subgid
cat >/tmp/user <<'END'
mkdir /srv/pod/root /srv/pod/run && cd /srv/pod && tar -C /srv/roots/busybox -c . | tar -x -C root --no-same-owner
unshare -Urpf --mount-proc readlink /proc/self
unshare -Urnm sh -c 'mount -t sysfs sysfs /mnt && echo sysfs $(ls /mnt/class/net)'
(exec 3<>/dev/net/tun) && echo tun
export XDG_RUNTIME_DIR=/srv/pod/run
podman --root /srv/pod/store --runroot /srv/pod/run --cgroup-manager cgroupfs run --rm --cgroups disabled \
    --network none --rootfs /srv/pod/root sh -c 'echo podman $(id -u) $(ls /sys/class/net) >/said' 2>error || cat error
cat root/said # what so short a program writes to its output podman loses now and then
END
systemd-run --quiet --pipe --wait --uid pod --setenv HOME=/home/pod sh /tmp/user
mkdir /tmp/later
systemd-run --quiet --property PrivateMounts=yes --property Type=exec --unit watch sleep 1000000
mount -t tmpfs later /tmp/later
grep -c ' /tmp/later ' /proc/$(systemctl show -P MainPID watch)/mountinfo
systemctl is-system-running
"""


def test_a_plain_container(containers, nsunit):
    """Of the payload and of a session, both of a user of the container's; nothing of the host is within reach."""
    container = containers.start(PLAIN.format(NEST) + "Nesting=yes\n")
    assert nsunit("exec", container.name, "sh", "-c", NEST).stdout == "1\n"
    wait_until(lambda: nsunit("exec", container.name, "cat", "/tmp/said", check=False).stdout == "1\n")
    before = Path("/proc/sys/kernel/panic").read_text()
    assert nsunit("exec", "-u", "0", container.name, "sh", "-c", WRITE).stdout == "end\n"
    assert Path("/proc/sys/kernel/panic").read_text() == before


def test_not_without_it(containers, nsunit):
    container = containers.start(PLAIN.format("true"))
    done = nsunit("exec", container.name, "sh", "-c", NEST, check=False)
    assert (done.stdout, done.returncode != 0) == ("", True)


def test_a_whole_system(containers):
    """Rootless podman, the device it makes its network with, and services that see what is mounted later."""
    system = containers.start(SYSTEM)
    said = system.exec("sh", "-c", INSIDE, timeout=250).stdout.splitlines()
    assert said == ["1", "sysfs lo", "tun", "podman 0 lo", "1", "running"]
