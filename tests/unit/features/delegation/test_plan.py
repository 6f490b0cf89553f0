import pytest

from nsunit.errors import UsageError
from nsunit.features.delegation.plan import missing_controllers, wanted_controllers

ALL = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc")


@pytest.mark.parametrize(
    ("names", "available", "wanted"),
    [
        ((), ALL, ("cpu", "cpuset", "io", "memory", "pids")),
        ((), ("cpu", "pids"), ("cpu", "pids")),
        (("io", "cpu", "io"), ALL, ("cpu", "io")),
    ],
)
def test_wanted(names, available, wanted):
    assert wanted_controllers(names, available) == wanted


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("cpux", "'cpux' is not a controller that can be delegated", "there are cpu, cpuset, io, memory, pids"),
        ("x\n", r"'x\n' is not a controller that can be delegated", "there are cpu, cpuset, io, memory, pids"),
        (
            "blkio",
            "'blkio' is not a controller that can be delegated",
            "it belongs to cgroup version 1; version 2 has io",
        ),
        (
            "hugetlb",
            "'hugetlb' is not a controller that can be delegated",
            "systemd does not manage it, so it cannot delegate it",
        ),
        ("io", "the kernel does not provide the controller 'io'", "see what 'nsunit doctor' says"),
    ],
)
def test_refused(name, message, hint):
    with pytest.raises(UsageError) as caught:
        wanted_controllers(["cpu", name], ("cpu", "memory"))
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_missing():
    assert missing_controllers(("cpu", "io", "pids"), ("pids", "cpu")) == ("io",)
