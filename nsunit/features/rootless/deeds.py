"""The containers of a user without privileges: whose ids they have, and whether the user can have what they ask for."""

from __future__ import annotations

import os

from nsunit.core.programs import directory_with
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features.network.values import of
from nsunit.features.rootless.plan import id_map, privileged, refusals
from nsunit.features.rootless.setup import OwnUsers
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.setup.build import Build
from nsunit.storage import files
from nsunit.subordinate import SUBGID, SUBUID, ranges_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts

_UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_DEFAULT_UNPRIVILEGED = 1024
_TOOLS = ("newuidmap", "newgidmap")


class OwnIds(Record):
    """The ids of the user's containers: the maps, and what keeps them from having more than one, if they do not."""

    tools: str
    uid_map: str
    gid_map: str
    shortage: str = ""

    @property
    def arguments(self) -> tuple[str, str, str]:
        """Those of nsunit.features.rootless.setup.OwnUsers."""
        return self.tools, self.uid_map, self.gid_map

    @property
    def range(self) -> tuple[int, int]:
        """The `(start, count)` of the ids inside."""
        return 0, OwnUsers(*self.arguments).count


def own_ids(context: Context) -> OwnIds:
    """The maps of the calling user's containers: with the subordinate ids if there are some, else of one id each."""
    uid, gid, user = context.host.uid, os.getegid(), context.host.user
    uids = ranges_of(text_of(SUBUID), user, uid)
    gids = ranges_of(text_of(SUBGID), user, uid)
    tools = find_tools()
    if uids and gids and tools:
        return OwnIds(tools, id_map(uid, uids), id_map(gid, gids))
    if uids and gids:
        shortage = "newuidmap is missing (package 'uidmap')"
    else:
        shortage = f"/etc/sub{'gid' if uids else 'uid'} has no ids for {user}"
    return OwnIds("", id_map(uid, ()), id_map(gid, ()), shortage)


def find_tools() -> str:
    """The directory of newuidmap(1) and newgidmap(1), empty if there is none."""
    return directory_with(_TOOLS)


def facts(context: Context, _definition: Definition, facts: Facts) -> Facts:
    """*facts* with the maps of the user's ids."""
    return facts.with_extra("rootless", own_ids(context).arguments)


def user_range(context: Context) -> tuple[int, int]:
    """The range of ids inside of the user's containers."""
    return own_ids(context).range


def check(context: Context, definition: Definition) -> None:
    """Refuse what a container of the user cannot have, and warn of what it will lack.

    Raises:
        DefinitionError: all that *definition* asks for in vain.
    """
    check_limits(context, definition)
    ports = of(definition.container).published_ports
    if ports:
        found = privileged(ports, int(text_of(_UNPRIVILEGED) or _DEFAULT_UNPRIVILEGED))
        if found:
            raise DefinitionError([Problem(definition.name, 0, *item) for item in found])
    shortage = own_ids(context).shortage
    if shortage:
        context.warn(f"{definition.name}: only user 0 and group 0 exist in it, since {shortage}")


def check_limits(context: Context, definition: Definition) -> None:
    """Refuse what a container of the user cannot have.

    Raises:
        DefinitionError: all that *definition* asks for in vain.
    """
    problems = refusals(definition, controllers(context), context.host.user)
    if problems:
        raise DefinitionError(problems)


def controllers(context: Context) -> tuple[str, ...]:
    """The controllers that were delegated to the user's systemd."""
    return tuple(text_of(f"{CGROUP_ROOT}{context.cgroup}/cgroup.controllers").split())


def lingers(context: Context) -> bool:
    """Whether the user's systemd is started when the host boots, loginctl(1)."""
    return os.path.exists(f"/var/lib/systemd/linger/{context.host.user}")


def when_enabled(context: Context) -> str:
    """When a user's enabled containers are started."""
    return "at boot" if lingers(context) else f"at {context.host.user}'s first login"


def note_of_enable(context: Context) -> str:
    """What the user should know who has enabled containers; nothing if the user's systemd is started at boot."""
    if lingers(context):
        return ""
    return f"they start at {context.host.user}'s first login, with 'loginctl enable-linger' when the host boots"


def remove_tree(context: Context, path: str) -> bool:
    """Remove the directory *path*, with the help of a user namespace where parts of it are the subordinate ids'.

    Raises:
        NsunitError: that did not help.
    """
    try:
        return files.remove_tree(path)
    except PermissionError:
        pass
    if within(context, lambda: str(files.remove_tree(path))) is None:
        raise NsunitError(f"cannot remove all of '{path}'", hint="its files belong to ids that are not yours any more")
    return True


def within(context: Context, work: Callable[[], str]) -> str | None:
    """What *work* returns, called in a process that is root of the user's ids; None where it has failed."""
    namespace = OwnUsers(*own_ids(context).arguments)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            namespace.enter((), Build(""))
            with open(writer, "wb") as answer:
                answer.write(work().encode("utf-8", "surrogateescape"))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as answer:
        found = answer.read().decode("utf-8", "surrogateescape")
    return None if os.waitpid(child, 0)[1] else found


def text_of(path: str) -> str:
    """What is in the file at *path*, nothing if it is not there."""
    return (files.read_file(path) or b"").decode("utf-8", "replace")
