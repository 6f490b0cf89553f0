"""The keys of [Container] that few containers with a network have.  Rows as in `setting.Row`, nsunit's own."""

from __future__ import annotations

from nsunit.definition.setting import OLDEST, own
from nsunit.definition.values import choice, size, usec
from nsunit.definition.words import ValueProblem, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser


_RATE_MIN = 8000


def _bits(text: str) -> int:
    """`Egress=`, as Rate= in systemd.network(5): bits in a second, suffixes are powers of 1000; returns bytes."""
    try:
        bits = size(text, 1000)
    except ValueProblem:
        raise wrong(text, "is not a rate", "bits in a second, with K, M or G for powers of 1000, e.g. 10M") from None
    if bits < _RATE_MIN:
        raise wrong(text, "is less than 8K, which is 8000 bits in a second", "a bare number counts bits; use 10M, say")
    return bits // 8


def _own(parse: Parser, syntax: str, text: str, example: str) -> Row:
    return own(parse, False, syntax, text, example)


def _rate(text: str, example: str) -> Row:
    return (_bits, False, "", "", OLDEST, True, "BITS", text, example)  # nsunit changes it on a running container


PORTS: dict[str, Row] = {
    "Activation": _own(
        *(choice("socket", "fds"), "socket|fds"),
        *("Have systemd listen on PublishPort=, and the first connection start it.", "socket"),
    ),
    "IdleStop": _own(usec, "TIME", "Stop it after that long without a connection, with Activation=socket.", "5min"),
    "Egress": _rate("What it may send by each interface, in bits per second.", "10M"),
    "Ingress": _rate("What it may receive by each interface, in bits per second.", "100M"),
}
