"""network create and rm: definitions of networks."""

from __future__ import annotations

import sys

from nsunit.features.network import networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def create(invocation: Invocation, operands: list[str]) -> int:
    """`nsunit network create`."""
    path = networks.create(invocation.context(), operands[0], operands[1:])
    if not invocation.flag("quiet"):
        sys.stdout.write(f"{path}\n")
    return 0


def remove(invocation: Invocation, names: list[str]) -> int:
    """`nsunit network rm`."""
    context = invocation.context()
    for name in names:
        for path in networks.remove(context, name):
            sys.stderr.write(f"nsunit: {path} stays, it is not an administrator's\n")
    return 0
