"""Packages that wait in /srv/packages: installed for some tests, and gone after them."""

from contextlib import contextmanager
from pathlib import Path

WAITING = Path("/srv/packages")
POLICY = Path("/usr/sbin/policy-rc.d")
# dpkg's database is a copy meanwhile, and executes what is in it.
DATABASE, COPY = "/var/lib/dpkg", "/var/lib/dpkg-of-tests"


@contextmanager
def installed(run, *patterns):
    """Have the packages below /srv/packages that these patterns match; none of their services is started."""
    present = set(run("dpkg-query", "--show", "--showformat=${Package}\\n").stdout.split())
    files = sorted({str(file) for pattern in patterns for file in WAITING.glob(pattern)})
    names = {Path(file).name.partition("_")[0] for file in files} - present
    POLICY.write_text("#!/bin/sh\nexit 101\n")  # deb-systemd-invoke(1p) starts nothing
    POLICY.chmod(0o755)
    run(f"cp -a {DATABASE} {COPY} && mount --bind {COPY} {DATABASE}")  # as in test_coexistence.py
    try:
        run("dpkg", "--force-unsafe-io", "--install", *files, timeout=300)
        yield
    finally:
        run("dpkg", "--force-unsafe-io", "--purge", *sorted(names))
        run(f"umount {DATABASE} && rm -r {COPY}")
        POLICY.unlink()
