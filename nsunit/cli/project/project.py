"""The verbs `up` and `down`."""

from __future__ import annotations

from nsunit.cli import warn
from nsunit.deeds.imports import project
from nsunit.deeds.imports.bring import given_of
from nsunit.errors import UsageError
from nsunit.imports import find
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome
    from nsunit.imports.model import Given


def up(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `up`."""
    given = _given(invocation).replace(
        profiles=invocation.values("profile"), scale=tuple(map(_scale, invocation.values("scale")))
    )
    say = (lambda _text: None) if invocation.flag("quiet") else warn
    return project.up(invocation.context(), given, lambda remark: say(str(remark)))


def down(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `down`, of all profiles."""
    return project.down(invocation.context(), _given(invocation).replace(profiles=("*",)))


def _given(invocation: Invocation) -> Given:
    kind = find("compose")
    assert kind is not None
    given = given_of(kind, tuple(invocation.operands), user=invocation.context().user)
    return given.replace(project=invocation.value("project") or "")


def _scale(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not (number.isascii() and number.isdecimal()) or len(number) > 4:
        raise UsageError(f"'{printable(text)}' is not SERVICE=NUMBER", hint="e.g. --scale web=3")
    return name, int(number)
