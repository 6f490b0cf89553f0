"""cgroup: control groups of the caller's own, with the command lines of libcgroup's tools."""

from __future__ import annotations

import sys

from nsunit.cli.lifecycle import fail, say
from nsunit.cli.output import print_json
from nsunit.errors import NsunitError, UsageError
from nsunit.names import printable
from nsunit.plan.cgroups import Access, Group, parse_mode, parse_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.cli.options import Invocation
    from nsunit.manager.context import Context

_SPEC_HINT = "-g CONTROLLERS:PATH, e.g. -g cpu,memory:web"


def create(invocation: Invocation) -> int:
    """The verb `cgroup create`."""
    from nsunit.manager.cgroups import create

    specs = _specs(invocation)
    for controllers, group in specs:
        if not controllers:
            raise UsageError(f"cgroup create: '{group.path}' is given no controllers", hint=_SPEC_HINT)
    access = Access(
        _owner(invocation.value("admin")),
        _owner(invocation.value("tasks")),
        *(_mode(invocation.value(name)) for name in ("dperm", "fperm", "tperm")),
    )
    context = _context(invocation)
    return _for_each(specs, lambda controllers, group: create(context, controllers, group, access))


def execute(invocation: Invocation) -> int:
    """The verb `cgroup exec`."""
    from nsunit.manager.cgroups import execute

    context = _context(invocation)
    try:
        execute(context, _only_group(context, invocation), invocation.operands)
    except NsunitError as error:
        if error.exit_status not in (126, 127):
            error.exit_status = 125  # any other number could be the command's own
        raise
    return 0  # never reached: the command has taken our place


def classify(invocation: Invocation) -> int:
    """The verb `cgroup classify`."""
    from nsunit.manager.cgroups import classify

    pids = [_pid(text) for text in invocation.operands]
    context = _context(invocation)
    return fail(classify(context, _only_group(context, invocation), pids))


def set_values(invocation: Invocation) -> int:
    """The verb `cgroup set`."""
    from nsunit.manager.cgroup_knobs import set_values

    values = []
    for text in invocation.values("variable"):
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"cgroup set: '{printable(text)}' has no value", hint="-r NAME=VALUE")
        values.append((name, value.strip()))
    if not values:
        raise UsageError("cgroup set: nothing is given to set", hint="-r NAME=VALUE, e.g. -r memory.max=100M")
    groups = [parse_spec(text) for text in invocation.operands]
    context = _context(invocation)
    return _for_each(groups, lambda _controllers, group: set_values(context, group, values))


def get(invocation: Invocation) -> int:
    """The verb `cgroup get`."""
    from nsunit.manager.cgroup_knobs import get, names_of

    names, everything = invocation.values("variable"), invocation.flag("all")
    controllers: list[str] = []
    paths = list(invocation.operands)
    for text in invocation.values("group"):
        left, _, path = text.partition(":")
        controllers += left.split(",")
        paths += [path] if path else []
    if not (names or controllers or everything):
        raise UsageError("cgroup get: nothing is asked for", hint="-r NAME, -g CONTROLLERS, or -a for all")
    if not paths:
        raise UsageError("cgroup get: no group is given", hint="nsunit cgroup get -r memory.max web")
    context = _context(invocation)
    found: dict[str, dict[str, str]] = {}
    failures = []
    for path in dict.fromkeys(paths):
        try:
            group = parse_spec(path)[1]
            more = names_of(context, group, () if everything else controllers) if everything or controllers else []
            found[path] = dict(get(group, [*names, *(name for name in more if name not in names)]))
        except NsunitError as error:
            failures.append(error)
    if invocation.flag("json"):
        print_json(found)
    else:
        _print_values(found, headers=not invocation.flag("no-headers"), labels=not invocation.flag("values-only"))
    return fail(failures)


def _print_values(found: dict[str, dict[str, str]], *, headers: bool, labels: bool) -> None:
    """Print as cgget does: further lines of a value begin with a tab, and an empty line ends each group."""
    for path, values in found.items():
        if headers:
            say(f"{path}:")
        for name, value in values.items():
            lines = value.splitlines() or [""]
            say(f"{name}: {lines[0]}" if labels else lines[0])
            for line in lines[1:]:
                sys.stdout.write(f"\t{printable(line)}\n")
        if headers:
            say("")


def delete(invocation: Invocation) -> int:
    """The verb `cgroup delete`."""
    from nsunit.manager.cgroups import check_controllers, delete

    context = _context(invocation)
    recursive, kill = invocation.flag("recursive"), invocation.flag("kill")

    def remove(controllers: Sequence[str], group: Group) -> None:
        check_controllers(context, group, controllers)
        delete(context, group, recursive=recursive, kill=kill)

    return _for_each(_specs(invocation, invocation.operands), remove)


def list_groups(invocation: Invocation) -> int:
    """The verb `cgroup list`."""
    from nsunit.manager.cgroups import check_controllers, groups, host_controllers

    if invocation.flag("controllers"):
        names = host_controllers()
        if invocation.flag("json"):
            print_json(names)
        else:
            for name in names:
                say(name)
        return 0
    context = _context(invocation)
    found = []
    if invocation.values("group") or invocation.operands:
        for controllers, group in _specs(invocation, invocation.operands):
            check_controllers(context, group, controllers)
            found += groups(context, group)
    else:
        found = groups(context)
    if invocation.flag("json"):
        print_json(found)
    else:
        for state in found:
            say(f"{','.join(state.controllers)}:{state.path}")
    return 0


def _context(invocation: Invocation) -> Context:
    if invocation.flag("user"):
        raise UsageError("cgroup: groups are the system's, also those that users are given", hint="leave out --user")
    return invocation.context()


def _specs(invocation: Invocation, operands: Sequence[str] = ()) -> list[tuple[tuple[str, ...], Group]]:
    texts = [*invocation.values("group"), *operands]
    if not texts:
        raise UsageError(f"{invocation.verb.name}: no group is given", hint=_SPEC_HINT)
    return [parse_spec(text) for text in texts]


def _only_group(context: Context, invocation: Invocation) -> Group:
    """The group that all of -g name: in version 2 a process is in one cgroup, for all controllers."""
    from nsunit.manager.cgroups import check_controllers

    specs = _specs(invocation)
    groups = list(dict.fromkeys(group for _, group in specs))
    if len(groups) > 1:
        raise UsageError(
            f"{invocation.verb.name}: a process is in one group, and not in '{groups[0].path}' and '{groups[1].path}'",
            hint="with cgroup version 2 a group has all of its controllers",
        )
    for controllers, group in specs:
        check_controllers(context, group, controllers)
    return groups[0]


def _for_each(specs: Sequence[tuple[tuple[str, ...], Group]], deed: Callable[[Sequence[str], Group], None]) -> int:
    failures = []
    for controllers, group in specs:
        try:
            deed(controllers, group)
        except NsunitError as error:
            failures.append(error)
    return fail(failures)


def _pid(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 1 << 31):
        raise UsageError(f"'{printable(text)}' is not a process id", hint="nsunit cgroup classify -g :web 1234")
    return int(text)


def _mode(text: str | None) -> int | None:
    return None if text is None else parse_mode(text)


def _owner(text: str | None) -> tuple[int, int] | None:
    """Read `USER[:GROUP]`, names or numbers; without a group it is the user's own."""
    import grp
    import pwd

    if text is None:
        return None
    user, _, group = text.partition(":")
    try:
        if user.isascii() and user.isdigit():
            uid = int(user)
            gid = uid if group else pwd.getpwuid(uid).pw_gid
        else:
            entry = pwd.getpwnam(user)
            uid, gid = entry.pw_uid, entry.pw_gid
        if group:
            gid = int(group) if group.isascii() and group.isdigit() else grp.getgrnam(group).gr_gid
    except (KeyError, OverflowError, ValueError):
        raise UsageError(f"'{printable(text)}' is not a user and group of this host", hint="-a USER[:GROUP]") from None
    if max(uid, gid) >= (1 << 32) - 1:
        raise UsageError(f"'{printable(text)}' is not a user and group of this host", hint="-a USER[:GROUP]")
    return uid, gid
