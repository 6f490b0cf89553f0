"""The part of packaging/try that runs where systemd is not process 1: the same, in a machine."""

import signal
import subprocess
import sys
from functools import partial

from . import cache, image, owned, qemu, tree
from .client import Lost, packed
from .later import Later
from .run import build_package, terminated

SHOW = cache.REPOSITORY / "packaging/try.d/show"


def main(directory: str) -> int:
    """Boot a machine, install the package in it, run the show, end the machine; return the show's exit status."""
    signal.signal(signal.SIGTERM, terminated)
    owned.clean_up(qemu.machines(), lambda name: qemu.Machine(name).stop())
    machine = qemu.Machine(f"{owned.RUN}-try")
    try:
        package = Later(partial(build_package, "--output", directory))
        machine.start(image.image(tree.RELEASES[0]), tied=True)
        cache.say("booting the machine")
        machine.wait_for_boot()
        cache.say("installing the package in it")
        with machine.client() as client:
            path = package.get()
            client.put(packed({f"/srv/{path.name}": path, "/srv/show": SHOW}))
            status, said = client.output(f"dpkg --install /srv/{path.name}", timeout=120)
            if status:
                raise Lost(f"the package does not install:\n{said}")
            return client.run(["/srv/show"], timeout=300)
    except (Lost, tree.Unavailable, OSError, subprocess.CalledProcessError) as error:
        print(f"try: {error}", file=sys.stderr)
        return 1
    finally:
        machine.stop()
