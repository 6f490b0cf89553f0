"""What is wrong with a test's marks: it would run nowhere, or not where it should, and nobody would see that."""

import pytest

# Reasons for a machine that one of a user-mode kernel meets as well (machine/user_mode.py), in a fraction of the time.
USER_MODE = ("controllers", "a disk", "kernel modules", "dummy links")


def in_user_mode(item: pytest.Item) -> bool:
    """Return whether a machine of a user-mode kernel is enough for a test."""
    machine = item.get_closest_marker("machine")
    return machine is not None and machine.args[0] in USER_MODE


def fault(item: pytest.Item) -> str:
    """Return what is wrong with the marks of a test, empty if nothing is."""
    machine = item.get_closest_marker("machine")
    once = item.get_closest_marker("once")
    if once and (len(once.args) != 1 or not isinstance(once.args[0], str) or not once.args[0]):
        return "once() needs its reason, as one text"
    engines = item.get_closest_marker("engines")
    if engines and (len(engines.args) != 1 or not isinstance(engines.args[0], str) or not engines.args[0]):
        return "engines() needs its reason, as one text"
    if engines and (machine or once or item.path.name == "test_reboot.py"):
        return "engines() is a place of its own: no other says where it runs"
    before, after = item.get_closest_marker("before_reboot"), item.get_closest_marker("after_reboot")
    if machine and (len(machine.args) != 1 or not isinstance(machine.args[0], str) or not machine.args[0]):
        return "machine() needs its reason, as one text"
    if before and not machine:
        return "before_reboot needs machine(reason), too: what is booted natively is not rebooted"
    if (before or after) and item.path.name != "test_reboot.py":
        return "tests around a reboot belong into test_reboot.py: nothing else is run after one"
    return ""
