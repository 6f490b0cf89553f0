"""The files of a container that name other hosts: made before its start, since they are bound into it."""

from __future__ import annotations

import os

from nsunit.addresses import has_six
from nsunit.core.context import make_directory
from nsunit.features.names import files as files_of_names
from nsunit.features.names.hosts import HOSTS, PASTA_SERVER, RESOLVER, Member, hosts, resolver
from nsunit.features.names.plan import naming, own_files
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition
    from nsunit.features.names.hosts import Naming
    from nsunit.plan.facts import Facts


def make_files(definition: Definition, directory: str) -> None:
    """Make in *directory* what a container that will be connected needs.

    Files that are there stay the ones they are: the container may run with them.  The network program fills them.
    """
    item = _naming(definition)
    files.write_changed(f"{directory}/{files_of_names.NAMING}", files_of_names.naming_file(item))
    for name in (HOSTS, RESOLVER):
        if not os.path.exists(f"{directory}/{name}"):
            files.write_file(f"{directory}/{name}", b"", mode=0o644)


def _naming(definition: Definition) -> Naming:
    item = naming(definition)
    return item if has_six() else item.replace(six=False)


def make_own_files(context: Context, definition: Definition, place: Place) -> None:
    """Make what a container without a network of nsunit's needs; it does not change while it runs."""
    wanted = own_files(definition.container)
    if not wanted:
        return
    files.make_private_directory(os.path.dirname(place.network))
    make_directory(context, place.network, place.undo)
    item = _naming(definition)
    network = definition.container.network
    of_host = files_of_names.read("/etc/resolv.conf").decode("utf-8", "replace")
    if network != "host":
        of_host = files_of_names.resolver_of_host()
    if network == "pasta" and files_of_names.host_lacks_servers():
        of_host += f"nameserver {PASTA_SERVER}\n"
    texts = {
        HOSTS: hosts(Member(item, ()), ()),
        RESOLVER: resolver(item, of_host, own_loopback=network != "host"),
    }
    for name in wanted:
        files.write_changed(f"{place.network}/{name}", texts[name].encode(), mode=0o644)


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Make them, unless its network brings them."""
    if definition.container.network not in ("bridge", "pasta"):
        make_own_files(context, definition, place)


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with where they are."""
    if definition.container.network in ("bridge", "pasta") or not own_files(definition.container):
        return facts
    directory = context.paths.network_of(definition.name)
    return facts.with_extra("names", directory).replace(directories=(*facts.directories, directory))


def at_boot(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* for unit files: they are in the directory that is kept."""
    if not facts.uses("names"):
        return facts
    return facts.with_extra("names", context.paths.boot_network_of(definition.name)).replace(directories=())
