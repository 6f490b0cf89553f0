"""`linux.seccomp` to the program that the kernel runs."""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.spec.fields import Json


class Filter(Record):
    """An array of `struct sock_filter`, the flags of seccomp(2), and where notifications go (a socket, and a text)."""

    program: bytes
    flags: int = 0
    listener: str = ""
    metadata: str = ""


def compile_filter(seccomp: Json) -> Filter | None:
    """The filter of `linux.seccomp`; None where it asks for none.

    Raises:
        SpecError: it cannot be had.
    """
    return None
