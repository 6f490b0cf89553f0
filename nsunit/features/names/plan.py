"""The files hosts and resolv.conf of a container that is in none of nsunit's networks.  Pure."""

from __future__ import annotations

from nsunit.features.names.hosts import RESOLVER, of, own_files
from nsunit.setup.mounts import Bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.plan.facts import Facts

FILES = (("resolv.conf", "/etc/resolv.conf"), ("hosts", "/etc/hosts"))


def mounts(container: Container, facts: Facts) -> list[Bind]:
    """Those that were made for it, in the directory that `facts` have."""
    directory: str = facts.extra("names", "")
    if not directory:
        return []
    # In layers of others the user cannot make a file to mount on, and need not have one who has not asked for it.
    unasked = container.network == "pasta" and not of(container).asks_servers
    return [
        Bind(
            f"{directory}/{name}", target, ("ro", "roots", "spare") if unasked and name == RESOLVER else ("ro", "roots")
        )
        for name, target in FILES
        if name in own_files(container)
    ]
