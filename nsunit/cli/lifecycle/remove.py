"""The verb `rm`."""

from __future__ import annotations

from nsunit.deeds.remove import remove as remove_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def remove(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `rm`."""
    return remove_containers(
        invocation.context(),
        invocation.names(),
        force=invocation.flag("force"),
        definition=invocation.flag("definition"),
    )
