"""The machine's initramfs: busybox, the few modules the root disk needs, and a script of ten lines.

A distribution's takes several seconds to unpack without hardware virtualisation; this one is 4 MB, uncompressed.
"""

import lzma
from pathlib import Path

MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")

INIT = """#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t proc proc /proc
if busybox grep -q nsunit.probe /proc/cmdline; then
    echo nsunit-probe-ok >/dev/console
    busybox poweroff -f
fi
for module in $(busybox cat /modules/order); do busybox insmod /modules/$module; done
while ! busybox mount -t ext4 -o rw /dev/vda /root 2>/dev/null; do busybox usleep 20000; done
busybox umount /proc
busybox mount --move /dev /root/dev
exec busybox switch_root /root /sbin/init
"""


def needed_modules(modules: Path) -> list[Path]:
    """Return the files of `MODULES` and their dependencies in loading order, without what the kernel has built in."""
    depends: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        depends[path] = others.split()
        by_name[path.rsplit("/", 1)[1].split(".")[0].replace("-", "_")] = path
    order: list[str] = []

    def add(path: str) -> None:
        for other in reversed(depends[path]):
            add(other)
        if path not in order:
            order.append(path)

    for name in MODULES:
        if name in by_name:
            add(by_name[name])
    return [modules / path for path in order]


def contents(root: Path, modules: Path) -> dict[str, tuple[int, bytes]]:
    """Return path → (mode, data) of the initramfs for a tree."""
    files = dict.fromkeys(("bin", "dev", "proc", "root", "modules"), (0o40755, b""))
    files["bin/busybox"] = (0o100755, (root / "usr/bin/busybox").read_bytes())
    files["init"] = (0o100755, INIT.encode())
    order = []
    for path in needed_modules(modules):
        name = path.name.split(".")[0] + ".ko"
        data = path.read_bytes()
        files[f"modules/{name}"] = (0o100644, lzma.decompress(data) if path.suffix == ".xz" else data)
        order.append(name)
    files["modules/order"] = (0o100644, " ".join(order).encode())
    return files


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Return the files as a cpio archive in the "newc" format of the kernel's buffer-format document."""
    out = bytearray()
    entries = [*files.items(), ("TRAILER!!!", (0, b""))]
    for inode, (name, (mode, data)) in enumerate(entries, 1):
        encoded = name.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def build(root: Path, modules: Path, target: Path) -> None:
    """Write the initramfs for the tree at `root` with the kernel modules directory `modules`."""
    target.write_bytes(archive(contents(root, modules)))
