"""Which programs need nothing but themselves."""

import struct

import pytest

from nsunit.formats.elf import is_static


def elf(*kinds, magic=b"\x7fELF\x02\x01", offset=64, size=56):
    header = magic.ljust(32, b"\0") + struct.pack("<QQIHHHHHH", offset, 0, 0, 64, size, len(kinds), 0, 0, 0)
    return header.ljust(64, b"\0") + b"".join(struct.pack("<I", kind).ljust(56, b"\0") for kind in kinds)


@pytest.mark.parametrize(
    ("head", "static"),
    [
        (elf(1, 1, 4), True),
        (elf(2, 1), True),  # static-pie: it has a dynamic section, and nobody to read it but itself
        (elf(6, 3, 1), False),
        (elf(1, magic=b"\x7fELF\x01\x01"), False),
        (elf(1)[:80], False),
        (elf(1, offset=1 << 40), False),
        (elf(1, size=0), False),
        (b"#!/bin/sh\n", False),
        (b"", False),
    ],
)
def test_is_static(head, static):
    assert is_static(head) is static


def test_of_this_interpreter():
    with open("/bin/sh", "rb") as file:
        assert not is_static(file.read(4096))
