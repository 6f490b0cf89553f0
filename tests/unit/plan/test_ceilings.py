import pytest

from nsunit.definition.model import Container, Definition
from nsunit.plan.ceilings import FILES, asked_limits, may_be_moot
from nsunit.plan.hierarchy import KNOBS
from nsunit.units import Property

INFINITY = (1 << 64) - 1


def test_every_limit_is_looked_at():
    assert FILES.keys() == {knob.dbus_name for knob in KNOBS if knob.kind != "weight"}


def test_asked_limits():
    sections = (
        ("Slice", (Property("MemoryMax", "t", 5), Property("CPUWeight", "t", 20), Property("MemoryLow", "t", 0))),
        ("Service", (Property("TasksMaxScale", "u", 7), Property("MemoryHigh", "t", INFINITY))),
        ("Unit", (Property("Description", "s", "x"),)),
    )
    definition = Definition("web", Container(("/bin/true",)), (), sections, ())
    assert asked_limits(definition) == [("memory.max", 5), ("pids.max", None)]


@pytest.mark.parametrize(
    ("file", "value", "above", "moot"),
    [
        ("memory.max", 100, b"max\n", False),
        ("memory.max", 100, b"100\n", False),
        ("memory.max", 100, b"99\n", True),
        ("memory.max", None, b"99\n", True),  # a share of the host's
        ("memory.max", 100, None, False),  # nobody above has asked for the controller
        ("memory.low", 100, b"0\n", True),
        ("memory.low", 100, b"100\n", False),
        ("memory.low", 100, None, True),
        ("cpu.max", 200_000, b"max 100000\n", False),
        ("cpu.max", 200_000, b"50000 100000\n", True),
        ("cpuset.cpus", b"\x03", b"\n", False),
        ("cpuset.cpus", b"\x03", b"0\n", True),
        ("io.max", (("/dev/sda", 1),), b"", False),
        ("io.max", (("/dev/sda", 1),), b"8:0 rbps=1 wbps=max riops=max wiops=max\n", True),
    ],
)
def test_may_be_moot(file, value, above, moot):
    assert may_be_moot(file, value, above) is moot
