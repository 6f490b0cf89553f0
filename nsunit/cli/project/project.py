"""The verbs `up` and `down`."""

from __future__ import annotations

import os
from itertools import takewhile

from nsunit.cli import warn
from nsunit.deeds.imports import places, project
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
    words = invocation.operands
    paths = [] if invocation.values("file") else [*takewhile(_is_path, words)]
    given = _given(invocation, paths).replace(
        profiles=invocation.values("profile"), scale=tuple(map(_scale, invocation.values("scale")))
    )
    say = (lambda _text: None) if invocation.flag("quiet") else warn
    return project.up(invocation.context(), given, lambda remark: say(str(remark)), words[len(paths) :])


def down(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `down`, of all profiles."""
    words = invocation.operands
    wrong = next((word for word in words if not (_is_path(word) or os.path.exists(word))), "")
    if wrong:
        raise UsageError(
            f"down: '{printable(wrong)}' is no compose file or directory",
            hint="it takes the whole project down; 'nsunit rm --force PROJECT-SERVICE' removes one service",
        )
    given = _given(invocation, words).replace(profiles=("*",))
    return project.down(invocation.context(), given, volumes=invocation.flag("volumes"))


def _given(invocation: Invocation, paths: Sequence[str]) -> Given:
    kind = find("compose")
    assert kind is not None
    named = (*invocation.values("file"), *paths) or places.of_project(os.getcwd(), dict(os.environ))
    given = given_of(kind, named, user=invocation.context().user)
    return given.replace(project=invocation.value("project") or "")


def _is_path(text: str) -> bool:
    """Whether an operand is a file or a directory: a service's name is the service where a project is here."""
    if "/" in text or text in (".", "..") or text.endswith((".yaml", ".yml")):
        return True
    return os.path.exists(text) and not places.of_project(os.getcwd(), dict(os.environ))


def _scale(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not (number.isascii() and number.isdecimal()) or len(number) > 4:
        raise UsageError(f"'{printable(text)}' is not SERVICE=NUMBER", hint="e.g. --scale web=3")
    return name, int(number)
