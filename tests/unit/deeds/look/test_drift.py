"""What others have set, as one would write it."""

import pytest

from nsunit.deeds.look.drift import _as_text
from nsunit.units import INFINITY


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("MemoryMax", 99 << 20, "99M"),
        ("MemoryMax", 1 << 30, "1G"),
        ("MemoryHigh", 100_001, "100001"),  # exactly what is there
        ("MemoryMin", 0, "0"),
        ("MemoryMax", INFINITY, "infinity"),
        ("TasksMax", 4096, "4096"),
        ("CPUQuotaPerSecUSec", 500_000, "50%"),
        ("AllowedCPUs", b"\x05", "0 2"),
    ],
)
def test_a_value_of_systemd_reads_as_in_a_definition(name, value, text):
    assert _as_text(name, value) == text
