"""How often a test repeats what only many repetitions prove, and how long it waits for what is to be.

`tests/run` takes many natively on Debian 13, some natively on the others, and few in the machines; with --long it takes
all everywhere.  At work: few, or NSUNIT_TEST_COUNTS=all, or a single one by its own name, NSUNIT_TEST_CROWD=301.

What takes seconds natively takes minutes where the processor is emulated and others use it, too: the places of machines
have NSUNIT_TEST_PATIENCE, which all times until something is given up are multiplied by.
"""

import os

PATIENCE = int(os.environ.get("NSUNIT_TEST_PATIENCE", "1"))
KINDS = ("all", "many", "some", "few")
TABLE = {
    "ROUNDS": (34, 20, 4, 3),  # of starts and stops of six containers
    "STARTS": (50, 50, 20, 15),  # of one name at once
    "SECONDS": (60, 20, 8, 12),  # of races between start, stop, rm and exec
    "SESSIONS": (1000, 300, 50, 24),  # one after the other
    "CROWD": (301, 121, 21, 4),  # of containers on one bridge, up to fifty of them at once
    "LIVES": (600, 100, 30, 20),  # of containers, each a deed in whatever state they are
    "ENVIRONMENTS": (400, 400, 150, 100),  # files that systemd and nsunit read
    "VICTIMS": (500, 200, 30, 12),  # starts while a link in the root is swapped for a directory: the hostile root that
    "HOSTILE": (500, 5, 2, 1),  # has chance on its side; and of each that has not
}


def count(name: str) -> int:
    """Return how often a test does what the table has by this name."""
    kind = KINDS.index(os.environ.get("NSUNIT_TEST_COUNTS", "few"))
    return int(os.environ.get(f"NSUNIT_TEST_{name}", TABLE[name][kind]))
