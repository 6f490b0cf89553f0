"""The verbs `cgroup delete` and `cgroup list`."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.cgroup.specs import for_each, specs_of, system_context
from nsunit.cli.output import print_json
from nsunit.features.cgroup import deeds as cgroups
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.features.cgroup.plan import Group


def delete(invocation: Invocation) -> int:
    """The verb `cgroup delete`."""
    context = system_context(invocation)
    recursive, kill = invocation.flag("recursive"), invocation.flag("kill")

    def remove(controllers: Sequence[str], group: Group) -> None:
        cgroups.check_controllers(context, group, controllers)
        cgroups.delete(context, group, recursive=recursive, kill=kill)

    return for_each(specs_of(invocation, invocation.operands), remove)


def list_groups(invocation: Invocation) -> int:
    """The verb `cgroup list`."""
    if invocation.flag("controllers"):
        names = cgroups.host_controllers()
        if invocation.flag("json"):
            print_json(names)
        else:
            for name in names:
                say(name)
        return 0
    context = system_context(invocation)
    found = []
    if invocation.values("group") or invocation.operands:
        for controllers, group in specs_of(invocation, invocation.operands):
            cgroups.check_controllers(context, group, controllers)
            found += cgroups.groups(context, group)
    else:
        found = cgroups.groups(context)
    if invocation.flag("json"):
        print_json(found)
    else:
        for state in found:
            say(f"{','.join(state.controllers)}:{printable(state.path)}")
    return 0
