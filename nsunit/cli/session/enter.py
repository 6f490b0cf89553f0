"""The verb `enter`."""

from __future__ import annotations

from nsunit.cli.session.borrowed import check_terminal
from nsunit.deeds.session.enter import DEFAULT
from nsunit.deeds.session.enter import enter as enter_namespaces
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def enter(invocation: Invocation) -> int:
    """The verb `enter`."""
    check_terminal(invocation)
    context = invocation.context()
    name, *command = invocation.operands
    kinds = invocation.value("namespaces")
    return enter_namespaces(
        context,
        check_name(name),
        command,
        kinds=DEFAULT if kinds is None else tuple(kinds.split(",")),
        tty=invocation.flag("tty"),
        interactive=invocation.flag("interactive"),
    )
