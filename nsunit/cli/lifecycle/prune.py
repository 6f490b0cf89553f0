"""The verb `prune`."""

from __future__ import annotations

import os
import sys

from nsunit.cli import say
from nsunit.cli.output import print_json
from nsunit.deeds.look.kept import kept
from nsunit.deeds.prune import prune as remove_kept
from nsunit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def prune(invocation: Invocation) -> int | Sequence[Outcome]:
    """The verb `prune`."""
    context = invocation.context()
    found = [item for item in kept(context) if not context.paths.is_enabled(item.name)]
    if invocation.flag("dry-run"):
        if invocation.flag("json"):
            print_json(found)
        else:
            for item in found:
                say(f"{item.name}: {item.state}")
        return 0
    lines = [f"{item.name}: {item.state}" for item in found]
    if found and not invocation.flag("force") and not agreed("prune", lines, "Remove all they have kept?"):
        return 1
    return remove_kept(context, found)


def agreed(verb: str, lines: Sequence[str], question: str) -> bool:
    """Show *lines*, what *verb* would remove, and ask whoever is at the terminal.

    Raises:
        UsageError: nobody is.
    """
    if not os.isatty(0):
        raise UsageError(f"{verb} asks, and nobody can answer", hint="--dry-run shows what it is, --force removes it")
    for line in lines:
        say(line)
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
