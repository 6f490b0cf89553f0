"""What a path is on, by lines of mountinfo."""

from __future__ import annotations

import pytest

from nsunit.formats.disks import mount_of

MOUNTINFO = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=1k
30 22 0:40 / /merged rw - overlay overlay rw,lowerdir=/a\134:b:/l\040x,upperdir=/up,workdir=/work
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
        ("/new", "overlay", ("/one", "/two", "/data"), False),
        ("/under/x", "xfs", (), True),
        ("/ssh", "fuse.sshfs", (), False),
    ],
)
def test_mount_of(path, kind, layers, has_disk):
    found = mount_of(path, MOUNTINFO)
    assert (found.type, found.layers, found.has_disk) == (kind, layers, has_disk)
