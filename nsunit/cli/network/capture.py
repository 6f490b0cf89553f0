"""The verb `capture`."""

from __future__ import annotations

from nsunit.deeds.session.capture import capture as capture_packets
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def capture(invocation: Invocation) -> int:
    """The verb `capture`."""
    name, *words = invocation.operands
    return capture_packets(invocation.context(), check_name(name), words[1:] if words[:1] == ["--"] else words)
