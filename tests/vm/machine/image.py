"""The machine's disk: tree → directory + our files → ext4, with kernel and initramfs beside it."""

import os
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

from . import cache, initrd, owned, tree
from .later import Later

GUEST = Path(__file__).parent / "guest"
SIZE = "4G"
VERSION = "1"  # raise it when an image is made differently from the same tree and files

MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer"
    " getty@tty1.service serial-getty@ttyS0.service ldconfig.service systemd-pcrphase.service man-db.timer"
    " systemd-hwdb-update.service systemd-networkd.service systemd-firstboot.service systemd-pstore.service"
    " systemd-journal-catalog-update.service systemd-update-utmp.service systemd-update-utmp-runlevel.service"
    " systemd-tpm2-setup.service systemd-tpm2-setup-early.service systemd-boot-random-seed.service"
    " podman.service podman.socket podman-auto-update.service podman-auto-update.timer podman-restart.service"
    " podman-clean-transient.service"
).split()
# What these make units of is not there, and every daemon-reload waits for them: half of its time.
USELESS_GENERATORS = (
    "systemd-bless-boot-generator systemd-cryptsetup-generator systemd-getty-generator systemd-gpt-auto-generator"
    " systemd-hibernate-resume-generator systemd-import-generator systemd-integritysetup-generator"
    " systemd-rc-local-generator systemd-run-generator systemd-ssh-generator systemd-system-update-generator"
    " systemd-sysv-generator systemd-tpm2-generator systemd-veritysetup-generator"
).split()


def image(release: str) -> Path:
    """Return the directory with `disk.ext4`, `vmlinuz` and `initrd` of a release."""
    # The trees do not wait for each other, and nobody who ends waits for them.
    wanted = [(release, "machine"), (release, "root"), (tree.PROGRAMS, "programs")]
    if release == tree.PROGRAMS:
        wanted.append((tree.OLDER, "system"))
    machine, root, *archives = (one.get() for one in [Later(partial(tree.tree, *which)) for which in wanted])
    copies = {f"srv/{kind}.tar": archive for (_, kind), archive in zip(wanted[2:], archives, strict=True)}
    guest = "".join(path.name + path.read_text() for path in sorted(GUEST.iterdir()) if path.is_file())
    useless = (*MASKED, *USELESS_GENERATORS)
    key = cache.key_of(
        VERSION, SIZE, str(machine), str(root), *map(str, archives), guest, initrd.INIT, *initrd.MODULES, *useless
    )
    return cache.entry(f"image-{release}", key, lambda path: build(release, machine, root, copies, path))


def build(release: str, machine: Path, root: Path, copies: dict[str, Path], path: Path) -> None:
    """Make the image of a release in the given directory; *copies* are archives by where they lie in it."""
    begun = time.monotonic()
    with owned.scratch(f"image-{release}") as scratch:
        top = scratch / "top"
        extract(machine, top)
        (modules,) = (top / "usr/lib/modules").iterdir()
        shutil.copy(top / f"boot/vmlinuz-{modules.name}", path / "vmlinuz")
        initrd.build(top, modules, path / "initrd")
        shutil.rmtree(top / "boot")
        configure(top)
        add_container_roots(top, root)
        for place, archive in copies.items():
            shutil.copy(archive, top / place)
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-L", "nsunit", "-d", str(top)]
        subprocess.run([*command, str(path / "disk.ext4"), SIZE], check=True, stdout=subprocess.DEVNULL)
    cache.say(f"image-{release}: disk made in {time.monotonic() - begun:.0f} s")


def extract(archive: Path, target: Path) -> None:
    """Unpack a tree into a directory, made if missing."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xpf", str(archive), *tree.UNPACK, "-C", str(target)], check=True)


def configure(top: Path) -> None:
    """Put the machine's own settings and the guest's agent into the tree."""
    units = top / "etc/systemd/system"
    for name in MASKED:
        link = units / name
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    generators = top / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for name in USELESS_GENERATORS:
        (generators / name).symlink_to("/dev/null")
    target = top / "usr/lib/nsunit-test"
    target.mkdir()
    (target / "machine").mkdir()
    for name in ("agent.py", "user-mode-init"):
        shutil.copy(GUEST / name, target / name)
    shutil.copy(GUEST / "test-agent.service", units)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "test-agent.service").symlink_to("../test-agent.service")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")
    (top / "etc/machine-id").write_text("6e73756e69740000000000000000cafe\n")
    (top / "etc/hostname").write_text("machine\n")
    (top / "etc/hosts").write_text("127.0.0.1 localhost machine\n::1 localhost\n")
    (top / "etc/fstab").write_text("")
    (top / "root/.bashrc").write_text("PS1='machine:\\w\\$ '\n[ -f /etc/bash_completion ] && . /etc/bash_completion\n")
    journald = top / "etc/systemd/journald.conf.d"
    journald.mkdir(exist_ok=True)
    (journald / "test.conf").write_text("[Journal]\nStorage=volatile\nRateLimitBurst=0\n")
    subprocess.run(["chroot", str(top), "passwd", "-qd", "root"], check=True)
    for stamp in ("etc/.updated", "var/.updated"):  # ConditionNeedsUpdate= compares these with /usr
        (top / stamp).touch()
        newest = (top / "usr").stat().st_mtime + 1
        os.utime(top / stamp, (newest, newest))


def add_container_roots(top: Path, root: Path) -> None:
    """Make /srv/roots/debian and /srv/roots/busybox."""
    extract(root, top / "srv/roots/debian")
    box = top / "srv/roots/busybox"
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "run", "var", "usr"):
        (box / name).mkdir(parents=True)
    (box / "tmp").chmod(0o1777)
    (box / "sbin").symlink_to("bin")
    (box / "usr/bin").symlink_to("../bin")
    (box / "usr/sbin").symlink_to("../bin")
    shutil.copy(top / "usr/bin/busybox", box / "bin/busybox")
    applets = subprocess.run([str(box / "bin/busybox"), "--list"], check=True, capture_output=True, text=True).stdout
    for applet in applets.split():
        if applet != "busybox":
            (box / "bin" / applet).symlink_to("busybox")
    (box / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n")
    (box / "etc/group").write_text("root:x:0:\nadm:x:4:app\napp:x:1000:\n")
