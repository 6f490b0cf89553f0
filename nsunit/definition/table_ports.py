"""The keys of [Container] that few containers with a network have.  Rows as in `setting.Row`, nsunit's own."""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.definition.values import choice, usec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser


def _own(parse: Parser, syntax: str, text: str, example: str) -> Row:
    return (parse, False, "", "", OLDEST, False, syntax, text, example)


PORTS: dict[str, Row] = {
    "Activation": _own(
        *(choice("socket", "fds"), "socket|fds"),
        *("Have systemd listen on PublishPort=, and the first connection start it.", "socket"),
    ),
    "IdleStop": _own(usec, "TIME", "Stop it after that long without a connection, with Activation=socket.", "5min"),
}
