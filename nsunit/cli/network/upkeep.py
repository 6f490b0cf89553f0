"""network check, repair and prune: what is there against what there should be."""

from __future__ import annotations

import sys

from nsunit.cli.output import plural, print_json
from nsunit.features.network import check as connections
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation


def check(invocation: Invocation, _: list[str]) -> int:
    """`nsunit network check`."""
    return _tell(invocation, connections.check(invocation.context()), "found")


def repair(invocation: Invocation, _: list[str]) -> int:
    """`nsunit network repair`."""
    _tell(invocation, connections.repair(invocation.context()), "repaired")
    return 0


def _tell(invocation: Invocation, problems: Sequence[str], done: str) -> int:
    if invocation.flag("json"):
        print_json(problems)
    elif not invocation.flag("quiet"):
        for problem in problems:
            sys.stdout.write(f"{printable(problem)}\n")
        sys.stdout.write(f"{plural(len(problems), 'problem')} {done}\n" if problems else "nothing is wrong\n")
    return 1 if problems else 0


def prune(invocation: Invocation, _: list[str]) -> int:
    """`nsunit network prune`."""
    names = connections.prune(invocation.context())
    if invocation.flag("json"):
        print_json(names)
    elif not invocation.flag("quiet"):
        sys.stdout.write("".join(f"{name}\n" for name in names))
    return 0
