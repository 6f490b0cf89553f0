"""The verb `restart`."""

from __future__ import annotations

from nsunit.deeds.restart import restart as restart_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def restart(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `restart`."""
    return restart_containers(invocation.context(), invocation.names("running or failed", pods=True))
