"""Debian trees: the machine's own and the root directory that containers use, as tar files made by mmdebstrap."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from . import cache

RELEASES = ("trixie", "bookworm")
MIRROR = os.environ.get("NSUNIT_MIRROR", "http://deb.debian.org/debian")

# What nsunit depends on, what the tests look with, and what it is measured against.
MACHINE_PACKAGES = (
    "systemd systemd-sysv systemd-container dbus dbus-user-session udev kmod linux-image-amd64 libseccomp2"
    " python3 python3-pystemd python3-dbus-next python3-pyroute2 python3-jinja2 python3-pytest python3-pytest-timeout"
    " bash-completion busybox-static ca-certificates catatonit crun e2fsprogs iproute2 less nftables passt podman"
    " procps strace uidmap"
).split()
ROOT_PACKAGES = ["python3"]

LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
VERSION = "2"  # raise it when a tree is made differently from the same packages


def tree(release: str, kind: str) -> Path:
    """Return the tar file of a tree; `kind` is "machine" (boots) or "root" (what a container runs on)."""
    packages = MACHINE_PACKAGES if kind == "machine" else ROOT_PACKAGES
    key = cache.key_of(VERSION, release, kind, *sorted(packages), *LEFT_OUT)
    return cache.entry(f"{kind}-{release}", key, lambda path: build(release, packages, path)) / "tree.tar"


def build(release: str, packages: list[str], path: Path) -> None:
    """Run mmdebstrap and leave `tree.tar` and `log` in the directory."""
    begun = time.monotonic()
    cache.say(f"{path.name.strip('.')}: mmdebstrap, {len(packages)} packages and what they need")
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    # Only the build leaves files out: what the tests install later comes complete, man pages too.
    command += ["--customize-hook=rm -f $1/etc/dpkg/dpkg.cfg.d/99mmdebstrap", release, str(path / "tree.tar"), MIRROR]
    with tempfile.TemporaryDirectory(prefix="nsunit-tree-", dir="/var/tmp") as scratch, (path / "log").open("w") as log:
        # INITRD=No: kernel packages build no initramfs; the machine has a smaller one (initrd.py).
        environment = os.environ | {"INITRD": "No", "TMPDIR": scratch}
        os.chmod(scratch, 0o755)
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, check=False)
    if result.returncode:
        raise SystemExit(f"mmdebstrap for {release} failed:\n{(path / 'log').read_text()[-4000:]}")
    cache.say(f"{path.name.strip('.')}: tree made in {time.monotonic() - begun:.0f} s")
