"""ShmSize=: how much there is room for in /dev/shm."""

import pytest

ANYWHERE = pytest.mark.anywhere("a mount of the kernel's")

BASE = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
Exec=/bin/sleep 1000
"""
KIB = 1024


def shm(nsunit, container):
    """Return the size of /dev/shm in bytes, as statfs(2) tells it inside."""
    total, block = nsunit("exec", container.name, "stat", "-f", "-c", "%b %S", "/dev/shm").stdout.split()
    return int(total) * int(block)


@ANYWHERE
@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("", 64 * KIB * KIB),
        ("ShmSize=3M\n", 3 * KIB * KIB),
        ("ShmSize=3M\nTmpfs=/dev/shm:size=2M,mode=1777\n", 2 * KIB * KIB),
        ("ShmSize=infinity\n", 0),
    ],
)
def test_its_size(containers, nsunit, lines, size):
    assert shm(nsunit, containers.start(BASE + lines)) == size


@ANYWHERE
def test_more_does_not_fit(containers, nsunit):
    container = containers.start(BASE + "ShmSize=1M\n")
    write = "dd if=/dev/zero of=/dev/shm/file bs=1k count=1100 2>&1; stat -c %s /dev/shm/file"
    said = nsunit("exec", container.name, "sh", "-c", write).stdout
    assert "No space left on device" in said
    assert said.splitlines()[-1] == str(KIB * KIB)


def test_a_foreground_run_has_it_as_well(nsunit):
    words = ("run", "-p", "Layer=/srv/roots/busybox", "-p", "ShmSize=5M", "--", "stat", "-f", "-c", "%b %S", "/dev/shm")
    total, block = nsunit(*words).stdout.split()
    assert int(total) * int(block) == 5 * KIB * KIB
