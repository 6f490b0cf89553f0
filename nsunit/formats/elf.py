"""The head of an executable, elf(5): does it need anything but itself?

One program header is all that is looked for; pyelftools would be a dependency for that.
"""

from __future__ import annotations

import struct

HEAD = 4096  # bytes that are enough to tell
_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian, as on every architecture nsunit runs on
_PT_INTERP = 3


def is_static(head: bytes) -> bool:
    """Whether the program that begins with *head* is an ELF file without an interpreter, so without libraries."""
    if not head.startswith(_MAGIC) or len(head) < 64:
        return False
    (offset,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    if size < 4 or offset + size * count > len(head):
        return False
    kinds = [struct.unpack_from("<I", head, offset + size * number)[0] for number in range(count)]
    return _PT_INTERP not in kinds
