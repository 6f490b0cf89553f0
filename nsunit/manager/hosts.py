"""The files of a container that name other hosts: made before its start, since they are bound into it."""

from __future__ import annotations

import os

from nsunit.network import hosts as files_of_network
from nsunit.plan.hosts import HOSTS, RESOLVER, Member, hosts, naming, own_files, resolver
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition


def make_files(definition: Definition, directory: str) -> None:
    """Make in *directory* what a container that will be connected needs.

    Files that are there stay the ones they are: the container may run with them.  The network program fills them.
    """
    item = naming(definition)
    files.write_file(f"{directory}/{files_of_network.NAMING}", files_of_network.naming_file(item))
    for name in (HOSTS, RESOLVER):
        if not os.path.exists(f"{directory}/{name}"):
            files.write_file(f"{directory}/{name}", b"", mode=0o644)


def make_own_files(definition: Definition, directory: str) -> None:
    """Make in *directory* what a container without a network of nsunit's needs; it does not change while it runs."""
    item = naming(definition)
    private = definition.container.network != "host"
    texts = {
        HOSTS: hosts(Member(item, ()), ()),
        RESOLVER: resolver(item, files_of_network.resolver_of_host(), own_loopback=private),
    }
    for name in own_files(definition.container):
        files.write_file(f"{directory}/{name}", texts[name].encode(), mode=0o644)
