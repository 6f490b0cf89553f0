"""The verbs `cgroup exec` and `cgroup classify`: processes of groups."""

from __future__ import annotations

from nsunit.cli import fail
from nsunit.cli.cgroup.specs import specs_of, system_context
from nsunit.errors import NsunitError, UsageError
from nsunit.features.cgroup import processes as cgroups
from nsunit.features.cgroup.deeds import check_controllers
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.features.cgroup.plan import Group


def execute(invocation: Invocation) -> int:
    """The verb `cgroup exec`."""
    context = system_context(invocation)
    try:
        cgroups.execute(context, _only_group(context, invocation), invocation.operands)
    except NsunitError as error:
        if error.exit_status not in (126, 127):
            error.exit_status = 125  # any other number could be the command's own
        raise
    return 0  # never reached: the command has taken our place


def classify(invocation: Invocation) -> int:
    """The verb `cgroup classify`."""
    pids = [_pid(text) for text in invocation.operands]
    context = system_context(invocation)
    return fail(cgroups.classify(context, _only_group(context, invocation), pids))


def _only_group(context: Context, invocation: Invocation) -> Group:
    """The group that all of -g name: in version 2 a process is in one cgroup, for all controllers."""
    specs = specs_of(invocation)
    groups = list(dict.fromkeys(group for _, group in specs))
    if len(groups) > 1:
        raise UsageError(
            f"{invocation.verb.name}: a process is in one group, and not in '{groups[0].path}' and '{groups[1].path}'",
            hint="with cgroup version 2 a group has all of its controllers",
        )
    for controllers, group in specs:
        check_controllers(context, group, controllers)
    return groups[0]


def _pid(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 1 << 31):
        raise UsageError(f"'{printable(text)}' is not a process id", hint="nsunit cgroup classify -g :web 1234")
    return int(text)
