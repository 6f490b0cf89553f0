"""The verb `disable`."""

from __future__ import annotations

from nsunit.deeds.enable import disable as disable_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def disable(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `disable`."""
    names = invocation.names("enabled", pods=True)
    return disable_containers(invocation.context(), names, now=invocation.flag("now"))
