"""Whether the tests can run natively and in user mode here: a system is booted and asked for what they use."""

import contextlib
import os
import time
from pathlib import Path

from . import owned
from .system import System, hierarchy
from .user_mode import UserMode

# What of a kernel is used by tests that are not marked for a machine: a sentence's end → a command that works with it.
FEATURES = {
    "user namespaces": "unshare --user --map-root-user true",
    "time namespaces": "unshare --time true",
    "overlays in user namespaces": (
        "cd $(mktemp -d) && mkdir l u w m && unshare --user --map-root-user --mount"
        " mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr overlay m"
    ),
    "bridges": "ip link add probe0 type bridge && ip link delete probe0",
    "veth links": "ip link add probe0 type veth && ip link delete probe0",
    "nftables with NAT": (
        "nft 'table ip probe { chain c { type nat hook postrouting priority 100; masquerade; }; }'"
        " && nft delete table ip probe"
    ),
    "/dev/net/tun": "exec 3<>/dev/net/tun",
}
CONTROLLERS = {"cpu", "io", "memory", "pids"}  # that tests in user mode need
AGAIN_SECONDS = 60


def refusal(image: Path) -> str:
    """Return why nothing can run natively here, empty if it can; an image of any release serves to find out.

    Whatever goes wrong in that is a reason, too: then all tests run in the machines.
    """
    if os.geteuid():
        return "it needs root"
    system = System(f"{owned.RUN}-probe")
    try:
        hierarchy()
        system.start(image, tied=True)
        system.wait_for_boot()
        with system.client() as client:
            missing = [name for name, command in FEATURES.items() if client.output(command)[0]]
        return f"this kernel has no {', '.join(missing)}" if missing else ""
    except Exception as error:
        return str(error) or type(error).__name__
    finally:
        with contextlib.suppress(OSError):  # what is left of it is tried again at the end of the run
            system.stop()


def refusal_of_user_mode(image: Path) -> str:
    """Return why no machine of a user-mode kernel can be had here, empty if one boots: then qemu's has all tests.

    As in a suite, what fails is booted once more, unless it has taken long: a run without takes twice as long.
    """
    begun = time.monotonic()
    said = tried(image)
    return tried(image) if said and time.monotonic() - begun < AGAIN_SECONDS else said


def tried(image: Path) -> str:
    """Boot a machine of a user-mode kernel; return why none can be had, empty if one boots."""
    machine = UserMode(f"{owned.RUN}-user-mode-probe")
    try:
        machine.start(image, tied=True)
        machine.wait_for_boot()
        with machine.client() as client:
            missing = CONTROLLERS - set(client.output("cat /sys/fs/cgroup/cgroup.controllers")[1].split())
        return f"its kernel has no controller {', '.join(sorted(missing))}" if missing else ""
    except Exception as error:
        return str(error) or type(error).__name__
    finally:
        with contextlib.suppress(OSError):
            machine.stop()
