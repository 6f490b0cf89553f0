"""What services of a distribution need of a container that run as their units run them."""

import os

import pytest
from waiting import wait_until

BUSYBOX = "[Container]\nLayer=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000000\n"
DEBIAN = BUSYBOX.replace("busybox", "debian")


@pytest.mark.parametrize("network", ["host", pytest.param("bridge", marks=pytest.mark.kernel("nftables"))])
def test_files_of_nsunit_belong_to_root_inside(containers, nsunit, network):
    """Postfix warns of an /etc/hosts that is somebody else's; nobody inside can change it all the same."""
    lines = f"Network={network}\nAddHost=db:192.0.2.1\nDNS=192.0.2.2\n"
    container = containers.start(BUSYBOX + lines)
    look = "stat -c %u:%g:%a /etc/hosts /etc/resolv.conf; (echo >/etc/hosts) 2>/dev/null || echo refused"
    for _ in range(2):
        assert nsunit("exec", container.name, "sh", "-c", look).stdout.split() == ["0:0:644", "0:0:644", "refused"]
        nsunit("restart", container.name)


def test_a_limit_that_nobody_can_have(containers, nsunit):
    """systemd gives a service what is next to it, above fs.nr_open or without CAP_SYS_RESOURCE; so does a session."""
    container = containers.start(BUSYBOX + "[Service]\nLimitNOFILE=2000000000\n")
    payload, session = (
        [line.split()[3:5] for line in text.splitlines() if line.startswith("Max open files")]
        for text in (
            nsunit("exec", container.name, "cat", "/proc/1/limits").stdout,
            nsunit("exec", container.name, "cat", "/proc/self/limits").stdout,
        )
    )
    assert payload == session


def test_a_directory_of_a_user_who_is_known_inside_only(containers, nsunit):
    """What RuntimeDirectory= makes on a host."""
    container = containers.start(DEBIAN + "Tmpfs=/run/app:mode=0750,uid=www-data,gid=daemon\nUser=www-data\n")
    assert nsunit("exec", container.name, "stat", "-c", "%U:%G:%a", "/run/app").stdout == "www-data:daemon:750\n"
    done = nsunit("start", containers.define(DEBIAN + "Tmpfs=/run/app:uid=nobody-here\n"), check=False)
    assert (
        "Failed to mount a tmpfs on '/run/app': user 'nobody-here' is not in the container's /etc/passwd" in done.stderr
    )


def test_where_it_starts(containers, nsunit):
    """In /, as services of systemd do: at home the programs that give up root cannot come back to where they were."""
    for line, payload, session in (
        ("", "/", "/root"),
        ("WorkingDirectory=~\n", "/root", "/root"),
        ("WorkingDirectory=/usr\n", "/usr", "/usr"),
        ("WorkingDirectory=~\nUser=nobody\n", "/", "/"),  # who has no home
    ):
        container = containers.start(DEBIAN + line)
        assert os.readlink(f"/proc/{container.pid}/cwd") == payload
        assert nsunit("exec", container.name, "pwd").stdout == session + "\n"
        assert nsunit("exec", "-w", "/etc", container.name, "pwd").stdout == "/etc\n"
    assert nsunit("run", "-pLayer=/srv/roots/busybox", "-pVolatile=yes", "pwd").stdout == "/\n"


def test_what_is_told_to_syslog(containers, nsunit):
    # One that stays: whose sender has ended before journald looks at it, it knows no unit of.
    tell = "Exec=/usr/bin/python3 -c 'import syslog, time; syslog.syslog(\"told\"); time.sleep(1000000)'\n"
    container = containers.start(DEBIAN + tell + "Bind=/run/systemd/journal/dev-log:/dev/log\n")
    wait_until(lambda: "told" in nsunit("logs", "-o", "cat", container.name).stdout.splitlines())
