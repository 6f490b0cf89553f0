"""Where tests run by their marks, and what is wrong with these: it would run nowhere, and nobody would see that."""

import os
import zlib

import pytest

# Reasons for a machine that one of a user-mode kernel meets as well (machine/user_mode.py), in a fraction of the time.
USER_MODE = ("controllers", "a disk", "kernel modules", "dummy links", "raised limits", "a reboot")


# What that kernel lacks, which all others have that tests run on: what `kernel` may name, and what is missing for it.
LACKING = {
    "calls of i386": "CONFIG_IA32_EMULATION",
    "checkpoints": "CONFIG_CHECKPOINT_RESTORE",
    "memory policies": "CONFIG_NUMA",
    "nftables": "CONFIG_NF_TABLES_IPV4, _IPV6 and _INET",
    "pressure": "CONFIG_PSI",
    "same page merging": "CONFIG_KSM",
    "transparent huge pages": "CONFIG_TRANSPARENT_HUGEPAGE",
    # No option: on Linux 7.2 who writes cgroup.subtree_control waits for them, and systemd, who does, is to reap them.
    "unreaped processes in removed cgroups": "Linux 6.18 or older",
}


def in_user_mode(item: pytest.Item) -> bool:
    """Return whether a machine of a user-mode kernel is enough for a test, should it run in a machine."""
    machine = item.get_closest_marker("machine")
    return machine.args[0] in USER_MODE if machine else item.get_closest_marker("kernel") is None


def fault(item: pytest.Item) -> str:
    """Return what is wrong with the marks of a test, empty if nothing is."""
    machine = item.get_closest_marker("machine")
    kernel = item.get_closest_marker("kernel")
    if kernel and (len(kernel.args) != 1 or kernel.args[0] not in LACKING):
        return f"kernel() needs what user mode lacks, as one text: {', '.join(LACKING)}"
    once = item.get_closest_marker("once")
    if once and (len(once.args) != 1 or not isinstance(once.args[0], str) or not once.args[0]):
        return "once() needs its reason, as one text"
    anywhere = item.get_closest_marker("anywhere")
    if anywhere and (len(anywhere.args) != 1 or not isinstance(anywhere.args[0], str) or not anywhere.args[0]):
        return "anywhere() needs its reason, as one text"
    if anywhere and (once or item.path.name == "test_reboot.py"):
        return "anywhere() says where it runs: in one of the releases"
    engines = item.get_closest_marker("engines")
    if engines and (len(engines.args) != 1 or not isinstance(engines.args[0], str) or not engines.args[0]):
        return "engines() needs its reason, as one text"
    if engines and (machine or once or anywhere or item.path.name == "test_reboot.py"):
        return "engines() is a place of its own: no other says where it runs"
    before, after = item.get_closest_marker("before_reboot"), item.get_closest_marker("after_reboot")
    if machine and (len(machine.args) != 1 or not isinstance(machine.args[0], str) or not machine.args[0]):
        return "machine() needs its reason, as one text"
    if (before or after) and not machine:
        return "what is around a reboot needs machine(reason), too: what is booted natively is not rebooted"
    if (before or after) and item.path.name != "test_reboot.py":
        return "tests around a reboot belong into test_reboot.py: nothing else is run after one"
    return ""


def is_elsewhere(item: pytest.Item) -> bool:
    """Return whether a test that one release is enough for is for another one: its file says for which.

    $NSUNIT_TEST_SHARE is the share of this one: `0/2` and `1/2` for the two that have them, `none` for others.  Without
    it all tests run here.  $NSUNIT_TEST_SHARED says which are shared: `anywhere`, those that are marked so, or `all`.
    What is marked `once` has one release in any case.
    """
    share = os.environ.get("NSUNIT_TEST_SHARE", "")
    is_shared = os.environ.get("NSUNIT_TEST_SHARED") == "all" or item.get_closest_marker("anywhere")
    if not share or not is_shared or item.get_closest_marker("once"):
        return False
    number, _, of = share.partition("/")
    return not of or zlib.crc32(item.path.name.encode()) % int(of) != int(number)
