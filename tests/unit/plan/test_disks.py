"""What a unit file with limits of disks comes after."""

import pytest
from definitions import definition

from nsunit.plan.disks import disk_directives

DISK = r"dev-disk-by\x2did-a.device"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Slice]\nMemoryMax=1G\n", {}),
        ("[Service]\nIOReadIOPSMax=/dev/sda 5\n", {}),  # another unit's
        ("[Slice]\nIOReadIOPSMax=/dev/disk/by-id/a 5\n", {"Wants": (DISK,), "After": (DISK,)}),
        (
            "[Slice]\nIOReadIOPSMax=/dev/sda 5\nIOWriteIOPSMax=/dev/sda 5\n",
            dict.fromkeys(("Wants", "After"), ("dev-sda.device",)),
        ),
        ("[Slice]\nIOReadIOPSMax=/var 5\nIODeviceWeight=/var 5\n", {"RequiresMountsFor": ("/var",)}),
        (f"[Slice]\nIOReadIOPSMax=/dev/{'a' * 250} 5\n", {}),  # no unit can have that name
    ],
)
def test_what_has_to_be_there(text, expected):
    found = list(disk_directives(definition(text), ("Slice",)))
    assert {item.key: item.property.value for item in found} == expected
    assert {item.section for item in found} <= {"Unit"}
