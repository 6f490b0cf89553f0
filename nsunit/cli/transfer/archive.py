"""The verbs `export`, `import`, `clone` and `rename`."""

from __future__ import annotations

from nsunit.cli import say, warn
from nsunit.deeds.rename import rename as give_name
from nsunit.features.transfer.clone import clone as make_clone
from nsunit.features.transfer.export import export as write_archive
from nsunit.features.transfer.restore import restore as bring_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def export(invocation: Invocation) -> int:
    """The verb `export`."""
    name, target = invocation.operands
    for text in write_archive(invocation.context(), name, target, pause=not invocation.flag("no-pause")):
        warn(f"warning: {text}")
    return 0


def restore(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `import`, which says what has come in: the archive has the name."""
    outcome = bring_in(invocation.context(), invocation.operands[0], force=invocation.flag("force"))
    if not invocation.flag("json") and not invocation.flag("quiet"):
        say(outcome.name)
    return [outcome]


def clone(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `clone`."""
    return [make_clone(invocation.context(), *invocation.operands)]


def rename(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `rename`."""
    return [give_name(invocation.context(), *invocation.operands)]
