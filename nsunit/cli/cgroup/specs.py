"""What the verbs of `nsunit cgroup` share: their groups."""

from __future__ import annotations

from nsunit.cli import fail
from nsunit.errors import NsunitError, UsageError
from nsunit.features.cgroup.plan import Group, parse_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context

SPEC_HINT = "-g CONTROLLERS:PATH, e.g. -g cpu,memory:web"


def system_context(invocation: Invocation) -> Context:
    """Return the context of the system.

    Raises:
        UsageError: --user was given.
    """
    if invocation.flag("user"):
        raise UsageError("cgroup: groups are the system's, also those that users are given", hint="leave out --user")
    return invocation.context()


def specs_of(invocation: Invocation, operands: Sequence[str] = ()) -> list[tuple[tuple[str, ...], Group]]:
    """Return the groups of -g and *operands*, each with its controllers.

    Raises:
        UsageError: there is none.
    """
    texts = [*invocation.values("group"), *operands]
    if not texts:
        raise UsageError(f"{invocation.verb.name}: no group is given", hint=SPEC_HINT)
    return [parse_spec(text) for text in texts]


def for_each(specs: Sequence[tuple[tuple[str, ...], Group]], deed: Callable[[Sequence[str], Group], None]) -> int:
    """Do *deed* to each of *specs*; one that fails does not keep the others from it."""
    failures = []
    for controllers, group in specs:
        try:
            deed(controllers, group)
        except NsunitError as error:
            failures.append(error)
    return fail(failures)
