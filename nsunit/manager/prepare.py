"""Before a start: sources checked, ids and directories reserved, the plan written for the helper."""

from __future__ import annotations

import os
import stat
import sys

from nsunit import setup
from nsunit.definition.text import serialize
from nsunit.errors import DefinitionError, NotFoundError, NsunitError, Problem
from nsunit.manager.seccomp import filter_file_for
from nsunit.names import service_name
from nsunit.plan.environment import parse_environment_file
from nsunit.plan.facts import Facts
from nsunit.plan.setup import keeps_upper, operations
from nsunit.plan.units import Units, may_be_ignored, units
from nsunit.record import Record
from nsunit.setup.operation import dump
from nsunit.storage import files, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.definition.model import Container, Definition
    from nsunit.manager.context import Context

# Statically linked ones only: they run in the container's root.
INIT_PROGRAMS = ("/usr/bin/catatonit", "/usr/libexec/catatonit/catatonit", "/usr/bin/tini-static")


class Prepared(Record):
    """A container that only has to be started."""

    definition: Definition
    units: Units
    undo: tuple[Callable[[], object], ...]  # in reverse order, takes back what was reserved for this start


def helper_path() -> str:
    """The helper's entry point, beside the package it belongs to."""
    return os.path.dirname(setup.__file__) + "/run.py"


def facts_for(context: Context, definition: Definition, user_range: tuple[int, int]) -> Facts:
    """The facts the plan of *definition* depends on, apart from what has to be reserved."""
    container = definition.container
    facts = Facts(
        systemd_version=context.host.systemd_version,
        interpreter=sys.executable or "/usr/bin/python3",
        helper=helper_path(),
        runtime_directory=context.paths.runtime_of(definition.name),
        user_range=user_range,
        upper=context.paths.upper_of(definition.name) if keeps_upper(container) else "",
        init=find_init() if container.init else "",
        seccomp=filter_file_for(container.capabilities, context.paths.seccomp),
        environment=(*(_link_variables(context, definition)), *_environment(container)),
        own_users=_own_users(context),
        runtime_base=context.paths.runtime_base,
        socket_proxy=_socket_proxy(definition.name) if container.names and container.names.tunnels else "",
        pasta=_find_pasta() if container.network == "pasta" else "",
        **(_machine_facts(context, definition) if container.boot or container.register else {}),
    )
    if container.listened_ports:
        from nsunit.manager.activation import listening_facts

        facts = facts.replace(sockets_keep=bool(container.activation), **listening_facts(context, definition))
    if container.pod:
        from nsunit.manager.pod import with_pod

        facts = with_pod(context, facts, container.pod)
    if container.network == "bridge":
        return with_network(context, facts, definition.name)
    if has_own_files(container):
        return facts.replace(network_directory=context.paths.network_of(definition.name))
    return facts


def _machine_facts(context: Context, definition: Definition) -> dict[str, Any]:
    from nsunit.plan.boot import MACHINED, machine_id

    if definition.container.register and context.user:
        raise NsunitError(f"{definition.name}: Register=yes is for root's containers", hint="leave it out")
    installed = os.path.exists(MACHINED) and not context.user
    if definition.container.register and not installed:
        raise NsunitError(
            f"{definition.name}: Register=yes needs systemd-machined, which is not installed",
            hint="install the package 'systemd-container'",
        )
    return {"machine_id": machine_id(context.host.machine_id, definition.name), "machined": installed}


def prepare(context: Context, definition: Definition, *, transient: bool = False) -> Prepared:
    """Reserve and write all that a start of *definition* needs.  The caller holds the container's lock.

    With *transient* nothing is kept of the container once it has ended, not even its id range.

    Raises:
        NsunitError: a source is missing or of the wrong kind; nothing is left behind.
    """
    name, container = definition.name, definition.container
    check_sources(definition)
    _check_user(context, definition)
    if container.needs_others:
        check_needed(context, definition)
    undo: list[Callable[[], object]] = []
    try:
        if container.pod:
            from nsunit.manager.pod import start_for

            start_for(context, definition, undo)
        files.make_private_directory(context.paths.runtimes)
        runtime = context.paths.runtime_of(name)
        make_directory(context, runtime, undo)
        keeper = runtime
        if not transient:
            files.make_private_directory(context.paths.states)
            keeper = context.paths.state_of(name)
            make_directory(context, keeper, undo)
        if keeps_upper(container) and not transient:
            _make_upper(context.paths.upper_of(name), container.layers[0])
        user_range = _user_range(context, definition, keeper)
        if container.ownership == "chown":
            _change_owners(container, user_range)
        if container.network == "bridge":
            connect(context, definition, keeper, context.paths.network_of(name), undo)
        elif container.activation:
            from nsunit.manager.activation import check_unconnected

            check_unconnected(context, definition)
        if container.network == "pasta" and container.published_ports:
            from nsunit.manager.network import check_free

            for port in container.published_ports:
                check_free(name, port)
        if has_own_files(container):
            make_own_files(context, definition, context.paths.network_of(name), undo)
        facts = facts_for(context, definition, user_range)
        planned = units(definition, facts)
        if may_be_ignored(definition):
            from nsunit.manager.limits import made_effective

            planned = made_effective(context, definition, planned)
        files.write_file(runtime + "/plan", dump(operations(definition, facts)))
        files.write_file(runtime + "/definition", serialize(definition).encode())
    except BaseException:
        take_back(undo)
        raise
    return Prepared(definition, planned, tuple(undo))


def connect(
    context: Context, definition: Definition, keeper: str, directory: str, undo: list[Callable[[], object]]
) -> None:
    """Reserve an address and ports, and write what the attachment to the network needs into *directory*.

    Raises:
        NsunitError: no address is left, or a port is taken.
    """
    from nsunit.manager.hosts import make_files
    from nsunit.manager.network import reserve

    files.make_private_directory(os.path.dirname(directory))
    make_directory(context, directory, undo)
    reserve(context, definition.name, definition.container, keeper, directory)
    make_files(definition, directory)


def has_own_files(container: Container) -> bool:
    """Whether files that name other hosts are made for it, though it is in none of nsunit's networks."""
    if container.network == "bridge" or (container.network != "pasta" and container.names is None):
        return False
    from nsunit.plan.hosts import own_files

    return bool(own_files(container))


def make_own_files(context: Context, definition: Definition, directory: str, undo: list[Callable[[], object]]) -> None:
    """Make those files in *directory*."""
    from nsunit.manager import hosts

    files.make_private_directory(os.path.dirname(directory))
    make_directory(context, directory, undo)
    hosts.make_own_files(definition, directory)
    if definition.container.network == "pasta":
        from nsunit.manager.network import note_ports

        note_ports(definition.name, definition.container, directory)


def with_network(context: Context, facts: Facts, name: str) -> Facts:
    """*facts* with what attaches container or pod *name* to a network."""
    program = os.path.dirname(os.path.dirname(setup.__file__)) + "/network/run.py"
    paths = context.paths
    return facts.replace(network_program=program, network_directory=paths.network_of(name), locks=paths.locks)


def at_boot(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* as they are for unit files that systemd starts by itself."""
    facts = facts.replace(sockets_keep=False) if facts.sockets_keep else facts
    if not facts.network_directory:
        return facts
    return facts.replace(network_directory=context.paths.boot_network_of(definition.name))


def reserve(context: Context, definition: Definition, undo: list[Callable[[], object]]) -> tuple[int, int]:
    """Reserve what is kept of a container between its starts; returns its id range.

    Raises:
        NsunitError: a source is missing or of the wrong kind.
    """
    check_sources(definition)
    _check_user(context, definition)
    files.make_private_directory(context.paths.states)
    make_directory(context, context.paths.state_of(definition.name), undo)
    if keeps_upper(definition.container):
        _make_upper(context.paths.upper_of(definition.name), definition.container.layers[0])
    user_range = _user_range(context, definition, context.paths.state_of(definition.name))
    if definition.container.ownership == "chown":
        _change_owners(definition.container, user_range)
    return user_range


def _change_owners(container: Container, user_range: tuple[int, int]) -> None:
    from nsunit.storage.owners import change_owners

    change_owners(container.rootfs or "", *user_range)


def take_back(undo: list[Callable[[], object]] | tuple[Callable[[], object], ...]) -> None:
    """Run the steps of *undo*, the last one first; all of them, even if one fails."""
    failures: list[Exception] = []
    for step in reversed(undo):
        try:
            step()
        except (NsunitError, OSError) as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _find_pasta() -> str:
    from nsunit.manager.rootless import find_pasta

    return find_pasta()


def _check_user(context: Context, definition: Definition) -> None:
    network, wrong = definition.container.network, None
    if context.user and network == "bridge":
        first = definition.container.connections[0] if definition.container.connections else network
        wrong = (f"[Container] Network={first} is for containers of the system", "use Network=pasta")
    elif not context.user and network == "pasta":
        wrong = (
            "[Container] Network=pasta is for containers without root",
            "run it with --user, or use Network=bridge",
        )
    elif context.user and definition.container.activation:
        wrong = ("[Container] Activation= is for containers of the system", "leave it out")
    if wrong:
        raise DefinitionError([Problem(definition.name, 0, *wrong)])
    if context.user:
        from nsunit.manager import rootless

        rootless.check(context, definition)


def _own_users(context: Context) -> tuple[str, str, str] | None:
    if not context.user:
        return None
    from nsunit.manager.rootless import own_ids

    return own_ids(context).arguments


def make_directory(context: Context, path: str, undo: list[Callable[[], object]]) -> None:
    """Make *path*, root's alone, and note in *undo* how to remove it if it was not there."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # kept from an earlier start, or left by one that was killed: either way it is this container's
    undo.append(lambda: context.remove_tree(path))


def _make_upper(path: str, top_layer: str) -> None:
    # The merged root shows the mode of the upper directory, so that has to be the top layer's.
    if os.path.isdir(path + "/upper"):
        return
    os.makedirs(path + "/work", 0o700, exist_ok=True)
    os.chmod(path, 0o755)  # the container's root passes here by its own, id-mapped, identity
    mode = stat.S_IMODE(os.stat(top_layer).st_mode)
    os.mkdir(path + "/upper")
    os.chmod(path + "/upper", mode)


def _user_range(context: Context, definition: Definition, keeper: str) -> tuple[int, int]:
    if context.user:
        return planned_user_range(context, definition)
    private_users = definition.container.private_users
    if private_users.mode in ("no", "joined"):
        return 0, 0
    if private_users.mode == "identity":
        return private_users.start, private_users.count
    if private_users.mode == "maps":
        maps = (*definition.container.uid_map, *definition.container.gid_map)
        ranges.remember(keeper, *((outside, count) for _, outside, count in maps))
        return 0, 0
    if private_users.mode == "range":
        ranges.remember(keeper, (private_users.start, private_users.count))
        return private_users.start, private_users.count
    return ranges.allocate(context.paths, definition.name, keeper)


def planned_user_range(context: Context, definition: Definition) -> tuple[int, int]:
    """The id range a start would use, without reserving one: the remembered one, or the one a name hashes to."""
    if context.user:
        from nsunit.manager.rootless import own_ids

        return own_ids(context).range
    private_users = definition.container.private_users
    if private_users.mode != "yes":
        return private_users.start, private_users.count
    for directory in (context.paths.state_of(definition.name), context.paths.runtime_of(definition.name)):
        remembered = ranges.remembered(directory)
        if remembered:
            return remembered
    return ranges.planned(definition.name), ranges.COUNT


def _link_variables(context: Context, definition: Definition) -> tuple[tuple[str, str], ...]:
    if not definition.container.names or not definition.container.names.links:
        return ()
    from nsunit.manager.linked import link_variables

    return link_variables(context, definition)


def _socket_proxy(name: str) -> str:
    from nsunit.manager.activation import find_socket_proxy

    return find_socket_proxy(name, "Tunnel", "leave it out")


def find_init() -> str:
    """The host's reaper for `Init=yes`.

    Raises:
        NsunitError: none is installed.
    """
    for path in INIT_PROGRAMS:
        if os.access(path, os.X_OK):
            return path
    raise NsunitError("Init=yes needs a reaper, and none is installed", hint="install the package 'catatonit'")


def check_sources(definition: Definition) -> None:
    """See that every host path the definition names is there, and report all that are not.

    Raises:
        DefinitionError: some are missing, or are no directories.
    """
    container = definition.container
    directories = [("Rootfs", container.rootfs)] if container.rootfs else []
    directories += [("Layer", layer) for layer in container.layers]
    mistakes = [f"{key}=: {reason}" for key, path in directories if (reason := _directory_mistake(path))]
    mistakes += [
        f"{'BindReadOnly' if bind.read_only else 'Bind'}=: '{bind.source}' does not exist"
        for bind in container.binds
        if not bind.optional and not os.path.lexists(bind.source)
    ]
    mistakes += [
        f"EnvironmentFile=: '{item.path}' does not exist"
        for item in container.environment_files
        if not item.optional and not os.path.exists(item.path)
    ]
    problems = [Problem(definition.name, 0, mistake) for mistake in mistakes]
    if not mistakes and container.rootfs and not (container.read_only or container.volatile):
        problems += _exposed_root(definition.name, container.rootfs)
    if problems:
        raise DefinitionError(problems)


def _exposed_root(name: str, rootfs: str) -> list[Problem]:
    """Refuse a root that is written to where the host's users can get at it.

    The files of the container's root belong to root on disk, so one with the set-user-id bit would make root of any
    user of the host who can execute it.  systemd keeps /var/lib/machines at 0700 for the same reason.
    """
    path = os.path.realpath(rootfs)
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        return []
    parent = os.path.dirname(path)
    directory = parent
    while os.stat(directory).st_mode & 0o011:  # others, or a group, can pass
        if directory == "/":
            hint = f"'chmod go-x {parent}', give it a parent that is only root's, or use Layer=, Volatile= or ReadOnly="
            return [
                Problem(name, 0, f"Rootfs=: '{rootfs}' is to be written to, and users of the host can enter it", hint)
            ]
        directory = os.path.dirname(directory)
    return []


def check_needed(context: Context, definition: Definition) -> None:
    """See that every container that *definition* needs runs, or is about to.

    Raises:
        NotFoundError: one does not.
    """
    from nsunit.plan.needs import needed_containers

    for other, why in needed_containers(definition.container).items():
        state = context.bus.get(service_name(other), "ActiveState", "Job")
        job = state.get("Job")
        queued = isinstance(job, tuple) and bool(job[0])  # its start, just asked for, waits for its slice
        if state.get("ActiveState") not in ("active", "activating", "reloading") and not queued:
            raise NotFoundError(
                f"{definition.name}: {why} '{other}', which does not run",
                hint=f"start that first: nsunit start {other}",
            )


def _directory_mistake(path: str) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return f"'{path}': {error.strerror}" if error.errno != 2 else f"'{path}' does not exist"
    return None if stat.S_ISDIR(mode) else f"'{path}' is not a directory"


def _environment(container: Container) -> tuple[tuple[str, str], ...]:
    found: tuple[tuple[str, str], ...] = ()
    for item in container.environment_files:
        content = files.read_file(item.path)
        if content is None:
            continue  # optional: check_sources refused any other
        try:
            found += parse_environment_file(content.decode())
        except ValueError as error:
            raise NsunitError(f"{item.path}: {error}") from error
    for name, value in found:
        if not value.isprintable():
            raise NsunitError(f"environment variable '{name}' from a file contains a control character")
    return found
