"""The verbs `cgroup set` and `cgroup get`: limits and use of groups."""

from __future__ import annotations

import sys

from nsunit.cli import fail, say
from nsunit.cli.cgroup.specs import for_each, system_context
from nsunit.cli.output import print_json
from nsunit.errors import NsunitError, UsageError
from nsunit.features.cgroup import knob_deeds as cgroup_knobs
from nsunit.features.cgroup.plan import parse_spec
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def set_values(invocation: Invocation) -> int:
    """The verb `cgroup set`."""
    values = []
    for text in invocation.values("variable"):
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"cgroup set: '{printable(text)}' has no value", hint="-r NAME=VALUE")
        values.append((name, value.strip()))
    source = invocation.value("copy-from")
    if values and source is not None:
        raise UsageError("cgroup set: -r and --copy-from exclude each other", hint="set values after the copy")
    if not values and source is None:
        raise UsageError("cgroup set: nothing is given to set", hint="-r NAME=VALUE, e.g. -r memory.max=100M")
    groups = [parse_spec(text) for text in invocation.operands]
    context = system_context(invocation)
    if source is not None:
        template = parse_spec(source)[1]
        return for_each(groups, lambda _controllers, group: cgroup_knobs.copy(context, template, group))
    return for_each(groups, lambda _controllers, group: cgroup_knobs.set_values(context, group, values))


def get(invocation: Invocation) -> int:
    """The verb `cgroup get`."""
    if invocation.flag("mode"):
        say("Unified Mode (Cgroup v2 Mounted).")  # in the words of cgget; nsunit runs on no other
        return 0
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
    context = system_context(invocation)
    found: dict[str, dict[str, str]] = {}
    failures = []
    for path in dict.fromkeys(paths):
        try:
            group = parse_spec(path)[1]
            more = (
                cgroup_knobs.names_of(context, group, () if everything else controllers)
                if everything or controllers
                else []
            )
            found[path] = dict(cgroup_knobs.get(group, [*names, *(name for name in more if name not in names)]))
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
