"""Debian trees: the machine's own and the root directory that containers use, as tar files made by mmdebstrap.

All of a release are made of the containers' root, so that what is in each of them is unpacked and set up once.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import cache, owned

RELEASES = ("trixie", "bookworm", "sid")
# What moves may be broken or out of reach on any day: a run goes on without these, and says so.
MOVING = ("sid",)

# What nsunit depends on, what the tests look with, and what it is measured against.
MACHINE_PACKAGES = (
    "systemd systemd-sysv systemd-container dbus dbus-user-session udev kmod linux-image-amd64 libseccomp2"
    " python3 python3-pystemd python3-dbus-next python3-pyroute2 python3-jinja2 python3-pytest python3-pytest-timeout"
    " bash-completion buildah busybox-static ca-certificates catatonit crun cryptsetup-bin dnsmasq-base docker-registry"
    " e2fsprogs erofs-utils fdisk iproute2 iptables less nftables passt podman procps python3-h2 python3-yaml runc"
    " skopeo squashfs-tools strace tmux uidmap umoci"
).split()
# Services of these packages that tests start when they need them.
NOT_AT_BOOT = ("docker-registry.service",)
ROOT_PACKAGES = ["python3"]
# What images of real programs are made of, the same on every release.
PROGRAMS = "trixie"
PROGRAM_PACKAGES = "gosu nginx-light redis-server postgresql-17 mariadb-server".split()
# A system of an earlier release, to be booted as a container where PROGRAMS is the host: /srv/system.tar.
OLDER = "bookworm"
SYSTEM_PACKAGES = ["systemd-sysv", "dbus"]
# A kernel that is a program of the host (user_mode.py), with what it is linked to.
USER_MODE_PACKAGES = ["user-mode-linux"]
PACKAGES = {
    "machine": MACHINE_PACKAGES,
    "root": ROOT_PACKAGES,
    "programs": PROGRAM_PACKAGES,
    "system": SYSTEM_PACKAGES,
    "user-mode": USER_MODE_PACKAGES,
}
# Programs of others, with services that would change other tests, or big ones that one test needs.  They wait in
# /srv/packages/NAME, with what they need, until a test installs one of them; some where tests marked `once` run.
UNINSTALLED = ("firewalld", "ufw", "docker.io")
UNINSTALLED_ONCE = (
    *("criu", "default-jre-headless", "docker-compose", "lxc-templates", "mkosi", "mmdebstrap", "openssh-server"),
    *("podman-compose", "slurm-wlm", "systemd-resolved"),
)

# Kernel modules nothing in the machine can use, which are half of a kernel: what depmod(8) does not see costs nothing.
USELESS_MODULES = (
    "sound drivers/gpu drivers/media drivers/infiniband drivers/scsi drivers/staging drivers/iio drivers/usb"
    " drivers/hid drivers/hwmon drivers/mtd drivers/platform drivers/video drivers/net/wireless drivers/net/ethernet"
    " drivers/net/can drivers/net/usb drivers/mmc drivers/input drivers/isdn drivers/ata drivers/edac drivers/i2c"
    " drivers/leds drivers/rtc drivers/comedi drivers/bluetooth drivers/accel drivers/firewire drivers/misc"
    " drivers/message drivers/w1 drivers/thunderbolt net/bluetooth net/mac80211 net/wireless"
    " fs/ocfs2 fs/ceph fs/smb fs/cifs fs/nfs fs/nfsd fs/gfs2 fs/jfs fs/ntfs3 fs/xfs fs/f2fs"
).split()
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
LEFT_OUT_OF_MACHINE = (
    *(f"{top}/lib/modules/*/kernel/{name}/*" for top in ("", "/usr") for name in USELESS_MODULES),
    "/usr/libexec/buildah/*",  # what its own tests use
)
# Most of a tree of databases is their compiler, and tools that no test calls.
LEFT_OUT_OF_PROGRAMS = (
    *("/usr/lib/*/libLLVM*", "/usr/lib/llvm-*", "/usr/lib/*/libz3*", "/usr/lib/postgresql/*/lib/bitcode/*"),
    *("/usr/bin/aria_*", "/usr/bin/myisam*", "/usr/bin/sst_dump", "/usr/bin/mariadb-[bcdhps]*", "/usr/lib/*/gconv/*"),
)
LEFT_OUT_OF = {"machine": LEFT_OUT_OF_MACHINE, "programs": LEFT_OUT_OF_PROGRAMS}
LEFT_OUT_FILE = "/etc/dpkg/dpkg.cfg.d/left-out"
# With owners, modes and file capabilities.  Device nodes come from devtmpfs, and an unprivileged build environment may
# not make them.
UNPACK = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*")
# What the packages make of their own, which images of them begin without.
OF_PACKAGES = ("var/lib/mysql", "var/lib/postgresql", "var/log/mysql", "var/log/nginx", "etc/postgresql")
# An archive that answers slowly or not at all ends in an error, not in a run that hangs.
APT_OPTIONS = ('Acquire::Retries "3"', 'Acquire::http::Timeout "60"', 'Acquire::https::Timeout "60"')
BUILD_SECONDS = 15 * 60
VERSION = "3"  # raise it when a tree is made differently from the same packages


class Unavailable(Exception):
    """The packages of a release cannot be had or installed today."""


def tree(release: str, kind: str) -> Path:
    """Return the tar file of a tree.

    `kind` is "machine" (boots), "root" (what a container runs on), "programs" (what images are made of), "system"
    (what boots as a container) or "user-mode" (a kernel, nothing of it configured).
    Raises Unavailable when it cannot be made.
    """
    packages, left_out = PACKAGES[kind], LEFT_OUT + LEFT_OUT_OF.get(kind, ())
    base = None if kind in ("root", "user-mode") else tree(release, "root")
    month = (time.strftime("%Y-%m"),) if release in MOVING else ()
    later = uninstalled(release) if kind == "machine" else ()
    key = cache.key_of(VERSION, release, kind, str(base), *sorted(packages), *later, *left_out, *month)
    command = partial(command_for, release, kind, left_out, base)
    return cache.entry(f"{kind}-{release}", key, lambda path: build(path, command)) / "tree.tar"


def uninstalled(release: str) -> tuple[str, ...]:
    """Return the packages that wait in the tree of a release."""
    return UNINSTALLED + (UNINSTALLED_ONCE if release == PROGRAMS else ())


def mirror() -> str:
    """Return the address that this system's apt has Debian from, of whatever release; $NSUNIT_MIRROR overrides it.

    Empty where apt has none: mmdebstrap knows one of its own.
    """
    if "NSUNIT_MIRROR" in os.environ:
        return os.environ["NSUNIT_MIRROR"]
    for address in sources("$(ORIGIN)|$(LABEL)", "Debian|Debian"):
        return address
    # Without lists, as images of containers come, the origin is not known: then whatever looks like a mirror of Debian.
    guesses = sources("$(COMPONENT)", "main", "--no-release-info")
    return next((address for address in guesses if address.endswith("/debian/")), "")


def sources(form: str, value: str, *options: str) -> list[str]:
    """Return the addresses of this system's apt for which a format of indextargets has a value.

    What else there may be (mirror+file:, cdrom:) mmdebstrap does not take.
    """
    command = ["apt-get", "indextargets", *options, "--format", f"{form}|$(REPO_URI)", "Created-By: Packages"]
    shown = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    found = (line.rpartition("|") for line in shown.splitlines())
    addresses = (address.rstrip("/") + "/" for said, _, address in found if said == value)
    return [address for address in addresses if address.startswith(("http://", "https://"))]


def command_for(release: str, kind: str, left_out: tuple[str, ...], base: Path | None, target: Path) -> list[str]:
    """Return the mmdebstrap command that makes a tree of a release, of the tar file *base* if there is one."""
    # "apt" is what has priority and is not there yet: nothing where there is a base.
    variant = "apt" if base else "extract" if kind == "user-mode" else "minbase"
    command = ["mmdebstrap", f"--variant={variant}", f"--include={','.join(PACKAGES[kind])}"]
    command += [f"--aptopt={option}" for option in APT_OPTIONS]
    if release in MOVING:  # a mirror's copy can be weeks old
        command += ['--aptopt=Acquire::Check-Valid-Until "false"']
    if base:
        command += [f"--setup-hook={shlex.join(('tar', '-xpf', str(base), *UNPACK))} -C $1"]
    if kind != "user-mode":
        # Before dpkg is called, but after the first packages are unpacked: --dpkgopt= has Python filter each of these.
        command += [f"--{'setup' if base else 'extract'}-hook={leave_out(left_out)}"]
        # Only the build leaves files out: what the tests install later comes complete, man pages too.
        command += [f"--customize-hook=rm -f $1{LEFT_OUT_FILE}"]
    if kind == "programs":
        command += [f"--customize-hook=cd $1 && rm -rf {' '.join(OF_PACKAGES)}"]
    if kind == "machine":
        command += [f"--customize-hook=chroot $1 systemctl disable {' '.join(NOT_AT_BOOT)}"]
        command += map(fetch, uninstalled(release))
    return [*command, release, str(target), *filter(None, [mirror()])]


def leave_out(patterns: tuple[str, ...]) -> str:
    """Return the hook that has dpkg leave out files, and removes those of them that are there."""
    lines = " ".join(shlex.quote(f"path-exclude={pattern}") for pattern in patterns)
    return f"printf '%s\\n' {lines} > $1{LEFT_OUT_FILE} && cd $1 && rm -rf {' '.join(f'.{name}' for name in LEFT_OUT)}"


def fetch(package: str) -> str:
    """Return the hook that puts the files of a package, and of all that it needs besides the tree's, into it."""
    where = f"$1/srv/packages/{package}"
    options = f"--download-only --no-install-recommends -o Dir::Cache::archives={where}"
    command = f"APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes {options} install {package}"
    return f"--customize-hook=mkdir -p {where}/partial && {command} && rm -r {where}/partial {where}/lock"


def build(path: Path, command_for: Callable[[Path], list[str]]) -> None:
    """Run mmdebstrap and leave `tree.tar` and `log` in the directory.  Raises Unavailable if it fails."""
    begun, name = time.monotonic(), path.name.strip(".").partition(".")[0]
    cache.say(f"{name}: mmdebstrap")
    command = command_for(path / "tree.tar")
    with owned.scratch(name) as scratch, (path / "log").open("w") as log:
        result = subprocess.run(
            # It is told to end, not killed, as with this thread: its mounts go with its own ending.
            ["timeout", "--kill-after=60", str(BUILD_SECONDS), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # INITRD=No: kernel packages build no initramfs; the machine has a smaller one (initrd.py).
            env=os.environ | {"INITRD": "No", "TMPDIR": str(scratch)},
            preexec_fn=partial(owned.end_with_parent, signal.SIGTERM),
            check=False,
        )
    if result.returncode:
        said = (path / "log").read_text()
        # The first error is the cause of those after it.
        error = next((line for line in said.splitlines() if line.startswith("E: ")), f"status {result.returncode}")
        raise Unavailable(f"mmdebstrap for {name} failed: {error}\n{said[-4000:]}")
    cache.say(f"{name}: tree made in {time.monotonic() - begun:.0f} s")
