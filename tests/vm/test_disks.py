"""Disk images: what comes of them in the store, and roots that systemd mounts of them."""

import os
import platform
import uuid
from pathlib import Path

import oci
import pytest
from test_images import images, lowers

__all__ = ["images"]  # the fixture
pytestmark = [pytest.mark.usefixtures("real_system"), pytest.mark.machine("a disk")]
# Of the Discoverable Partitions Specification: a root, what its blocks are compared with, and /srv.
ROOT, ROOT_VERITY, SRV = {
    "x86_64": (
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
        "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
        "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    ),
    "aarch64": (
        "b921b045-1df0-41c3-af44-4c6f280d3fae",
        "df3300ce-d69f-4c92-978c-9bfb0f38d820",
        "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    ),
}[platform.machine()]
MIB = 1 << 20


@pytest.fixture(scope="module")
def tree(images) -> Path:
    """A root with busybox, of which a disk is made."""
    place = images.place / "disk-root"
    for directory in ("etc", "usr/lib", "bin", "srv", "tmp"):
        (place / directory).mkdir(parents=True)
    (place / "usr/lib/os-release").write_text("ID=tests\n")
    (place / "etc/file").write_text("x\n")
    os.chown(place / "etc/file", 33, 34)
    (place / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (place / "bin/busybox").chmod(0o755)
    return place


@pytest.fixture(scope="module")
def ddi(images, tree, run) -> Path:
    """A disk with a partition for the root, which is verified, and one for /srv; and the hash beside it."""
    root, hashes, srv, disk = (images.place / name for name in ("root.img", "verity.img", "srv.img", "ddi.raw"))
    run("mkfs.erofs", "--quiet", str(root), str(tree))
    shown = run("veritysetup", "format", str(root), str(hashes)).stdout
    digest = next(line.split()[-1] for line in shown.splitlines() if line.startswith("Root hash:"))
    disk.with_suffix(".roothash").write_text(digest)
    content = images.place / "srv-content"
    content.mkdir()
    (content / "inner").write_text("served\n")
    run("mke2fs", "-q", "-t", "ext4", "-d", str(content), str(srv), "2M")
    lines, parts, end = ["label: gpt"], [], MIB
    for kind, path, identity in (
        (ROOT, root, digest[:32]),
        (ROOT_VERITY, hashes, digest[-32:]),
        (SRV, srv, "0123456789abcdef0123456789abcdef"),
    ):
        size = -(-path.stat().st_size // MIB) * MIB
        lines.append(f"start={end // 512}, size={size // 512}, type={kind}, uuid={uuid.UUID(identity)}")
        parts.append((end, path.read_bytes()))
        end += size
    with disk.open("wb") as file:
        file.truncate(end + MIB)
    run("sfdisk", "--quiet", str(disk), input="\n".join(lines))
    with disk.open("r+b") as file:
        for offset, content in parts:
            file.seek(offset)
            file.write(content)
    return disk


def test_disk_images(images, tree, ddi, run):
    """A squashfs, and a disk with erofs, dm-verity and two partitions, which is refused where its hash is another."""
    disk = images.place / "disk.squashfs"
    run("mksquashfs", str(tree), str(disk), "-quiet")
    wanted = {path: item[0] for path, item in oci.listing(tree).items()}
    for source, name in ((str(disk), "disk"), (f"raw:{ddi}", "ddi")):
        run("nsunit", "image", "import", source)
        listing = oci.listing(lowers(f"localhost/{name}:latest")[0])
        found = {path: item[0] for path, item in listing.items() if path != b"srv/lost+found"}
        assert found == wanted | ({b"srv/inner": found[b"srv/inner"]} if name == "ddi" else {})
        assert listing[b"etc/file"][2:4] == (33, 34)
    other = images.place / "other.raw"
    os.link(ddi, other)
    other.with_suffix(".roothash").write_text("00" * 32)
    done = run("nsunit", "image", "import", str(other), check=False)
    assert "'systemd-dissect' has failed: " in done.stderr
    assert done.returncode == 1
    assert "localhost/other" not in run("nsunit", "image", "list").stdout
    assert str(images.place) not in Path("/proc/mounts").read_text()
    assert str(images.place) not in run("losetup", "--list").stdout
    assert os.listdir("/dev/mapper") == ["control"]


def test_a_disk_as_root(images, tree, ddi, containers, run):
    """As the manual has it: systemd mounts the disk for the container that has it as a layer, by its type.

    Where there is mount.ddi, not in Debian 12, that takes all partitions and verifies them.
    """
    point = Path("/srv/disk")
    point.mkdir()
    has_ddi = Path("/usr/sbin/mount.ddi").exists()
    disk, options = (ddi, "ddi ro") if has_ddi else (images.place / "root.img", "erofs loop,ro")
    fstab = Path("/etc/fstab")
    before = fstab.read_text()
    try:
        fstab.write_text(f"{before}\n{disk} {point} {options} 0 0\n")
        run("systemctl", "daemon-reload")
        script = "busybox stat -c %%u:%%g /etc/file; busybox cat /srv/inner; busybox touch /etc/new; echo end"
        payload = f"{{ {script}; }} >/tmp/report 2>/dev/null; exec busybox sleep 1000"
        lines = f"Layer={point}\n" + (f"BindReadOnly=-{point}/srv:/srv:idmap\n" if has_ddi else "")
        container = containers.start(f"[Container]\n{lines}Exec=/bin/busybox sh -c '{payload}'\n")
        assert container.report().split() == ["33:34", *(["served"] if has_ddi else [])]
        assert run("findmnt", "-no", "FSTYPE", str(point)).stdout == "erofs\n"
        assert any(name.endswith("-verity") for name in os.listdir("/dev/mapper")) == has_ddi
        run("umount", f"{point}/srv", check=has_ddi)  # of which systemd knows not enough
        run("systemctl", "stop", "srv-disk.mount")
        assert run("systemctl", "is-active", container.service, check=False).stdout in ("inactive\n", "failed\n")
    finally:
        fstab.write_text(before)
        run("umount", "--recursive", str(point), check=False)
        run("systemctl", "daemon-reload")
        point.rmdir()
