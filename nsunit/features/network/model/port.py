"""What the program that attaches and detaches knows of the values of keys: it loads none of their parsers.  Pure."""

from __future__ import annotations

from nsunit.record import Record

MTU_MIN_SIX = 1280  # RFC 8200


class Port(Record):
    """A port of the host that leads into the container; `address` is empty for all of the host's.

    One that is *listened* on is carried by a socket unit, and no matter of the firewall.
    """

    address: str
    host: int
    container: int
    protocol: str
    listened: bool = False

    def __str__(self) -> str:
        address = f"[{self.address}]:" if ":" in self.address else self.address and self.address + ":"
        return f"{address}{self.host}/{self.protocol}"
