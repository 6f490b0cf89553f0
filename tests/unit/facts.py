"""What is known of a host and of one container, for tests of plans: the core gathers it before a start."""

from __future__ import annotations

from nsunit.features.boot.plan import machine_id
from nsunit.plan.facts import Facts

# Of the container `web`, which is root's.
FACTS = Facts(
    257, "/usr/bin/python3", "/helper", "/run/nsunit/containers/web", user_range=(524288, 65536), upper="/upper",
    init="/usr/bin/catatonit", seccomp="/run/nsunit/seccomp/x", environment=(("FROM", "file"),),
)  # fmt: skip

# The same of alice's.
MAPS = ("/usr/bin", "0:1000:1,1:100000:65536", "0:1000:1,1:100000:65536")
OF_ALICE = Facts(
    257, "/usr/bin/python3", "/helper", "/run/user/1000/nsunit/containers/web", user_range=(0, 65537),
    runtime_base="/run/user/1000", extras=(("rootless", MAPS),),
)  # fmt: skip

# Of the container `os` with a whole system inside.
HOST_ID = "6e73756e69740000000000000000cafe"
MACHINE_ID = machine_id(HOST_ID, "os")
OF_SYSTEM = Facts(
    257, "/usr/bin/python3", "/helper", "/run/nsunit/containers/os", user_range=(524288, 65536), upper="/upper",
    seccomp="/run/nsunit/seccomp/x", extras=(("boot", MACHINE_ID), ("machined", MACHINE_ID)),
)  # fmt: skip
