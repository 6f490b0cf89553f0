"""The part of packaging/try that runs where systemd is not process 1: the same, in a machine."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache, image, tree
from .client import Lost, packed
from .qemu import Machine
from .run import terminated

SHOW = cache.REPOSITORY / "packaging/try.d/show"


def build_package(directory: str) -> Path:
    """Build the Debian package and return its path."""
    command = [sys.executable, str(cache.REPOSITORY / "packaging/build-deb"), "--output", directory]
    return Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


def main(directory: str) -> int:
    """Boot a machine, install the package in it, run the show, end the machine; return the show's exit status."""
    signal.signal(signal.SIGTERM, terminated)
    machine = Machine(f"try-{os.getpid()}")
    try:
        with ThreadPoolExecutor() as pool:
            disk, package = pool.submit(image.image, tree.RELEASES[0]), pool.submit(build_package, directory)
            machine.start(disk.result(), tied=True)
        cache.say("booting the machine")
        machine.wait_for_boot()
        cache.say("installing the package in it")
        with machine.client() as client:
            path = package.result()
            client.put(packed({f"/srv/{path.name}": path, "/srv/show": SHOW}))
            status, said = client.output(f"dpkg --install /srv/{path.name}", timeout=120)
            if status:
                raise Lost(f"the package does not install:\n{said}")
            return client.run(["/srv/show"], timeout=300)
    except Lost as error:
        print(f"try: {error}", file=sys.stderr)
        return 1
    finally:
        machine.stop()
