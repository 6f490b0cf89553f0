"""What a path is on, by lines of mountinfo."""

from __future__ import annotations

import pytest

from nsunit.formats.disks import mount_of, mounts_at

MOUNTINFO = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=1k
30 22 0:40 / /merged rw - overlay overlay rw,lowerdir=/a\134:b:/l\040x,upperdir=/up,workdir=/work
36 22 0:45 / /comma rw - overlay overlay rw,lowerdir=/l\134\054a=b:/c\043,upperdir=/up,workdir=/work
31 22 0:41 / /new rw - overlay none rw,lowerdir+=/one,lowerdir+=/two,datadir+=/data
32 22 0:42 / /merged/btrfs rw - btrfs /dev/vdb rw
33 22 0:43 / /under rw - tmpfs t rw
34 33 254:16 / /under rw - xfs /dev/vdb rw
35 22 0:44 / /ssh rw - fuse.sshfs host: rw
""".lstrip()


@pytest.mark.parametrize(
    ("path", "kind", "layers", "has_disk"),
    [
        ("/", "ext4", (), True),
        ("/mergedx/y", "ext4", (), True),
        ("/dev/shm", "devtmpfs", (), False),
        ("/merged", "overlay", ("/a:b", "/l x", "/up"), False),
        ("/merged/etc", "overlay", ("/a:b", "/l x", "/up"), False),
        ("/merged/btrfs/x", "btrfs", (), True),
        ("/comma", "overlay", ("/l,a=b", "/c#", "/up"), False),  # as Linux has it since 4.3
        ("/new", "overlay", ("/one", "/two", "/data"), False),
        ("/under/x", "xfs", (), True),
        ("/ssh", "fuse.sshfs", (), False),
    ],
)
def test_mount_of(path, kind, layers, has_disk):
    found = mount_of(path, MOUNTINFO)
    assert (found.type, found.layers, found.has_disk) == (kind, layers, has_disk)


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_what_ends_a_line_elsewhere_is_a_part_of_a_name(end):
    """The kernel writes them as they are, and whoever may mount something chooses the name."""
    text = f"22 1 254:0 / / rw - ext4 /dev/vda rw\n23 22 0:9 / /tmp/a{end}b rw shared:3 - tmpfs none rw\n"
    assert mounts_at(text) == {"/": [22], f"/tmp/a{end}b": [23]}
    assert mount_of("/tmp/a", text).type == "ext4"
    assert mount_of(f"/tmp/a{end}b/c", text).type == "tmpfs"
