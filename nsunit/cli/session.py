"""exec and run: commands in containers."""

from __future__ import annotations

import os
import sys

from nsunit.errors import UsageError
from nsunit.names import check_name, new_run_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.options import Invocation

# Where a key is looked for that is given without its section.  A limit that a slice and a service can both have goes to
# the slice: there it holds for exec sessions as well.
_SECTIONS = ("Container", "Slice", "Service", "Unit")


def execute(invocation: Invocation) -> int:
    """The verb `exec`."""
    context = invocation.context()
    context.connect()
    from nsunit.manager.execute import execute

    name, *command = invocation.operands
    return execute(
        context,
        check_name(name),
        command,
        tty=invocation.flag("tty"),
        interactive=invocation.flag("interactive"),
        user=invocation.value("uid"),
        working_directory=invocation.value("working-directory"),
        environment=_environment(invocation.values("setenv")),
    )


def enter(invocation: Invocation) -> int:
    """The verb `enter`."""
    from nsunit.manager.enter import DEFAULT, enter

    context = invocation.context()
    name, *command = invocation.operands
    kinds = invocation.value("namespaces")
    return enter(
        context,
        check_name(name),
        command,
        kinds=DEFAULT if kinds is None else tuple(kinds.split(",")),
        tty=invocation.flag("tty"),
        interactive=invocation.flag("interactive"),
    )


def run(invocation: Invocation) -> int:
    """The verb `run`."""
    from nsunit.manager.run import run

    given = invocation.value("name")
    name = new_run_name() if given is None else check_name(given)
    status = run(
        invocation.context(),
        [_property(text) for text in invocation.values("property")],
        invocation.operands,
        name=name,
        detach=invocation.flag("detach"),
        tty=invocation.flag("tty"),
        interactive=invocation.flag("interactive"),
        keep=invocation.flag("keep"),
    )
    if invocation.flag("detach") and status == 0 and not invocation.flag("quiet"):
        sys.stdout.write(name + "\n")
    return status


def _environment(items: tuple[str, ...]) -> list[tuple[str, str]]:
    """Split `NAME=VALUE`; a bare `NAME` passes on the caller's variable, and nothing if there is none."""
    pairs = []
    for item in items:
        name, equals, value = item.partition("=")
        if not name:
            raise UsageError(f"'{printable(item)}' is not a variable", hint="--setenv=NAME=VALUE")
        if equals:
            pairs.append((name, value))
        elif name in os.environ:
            pairs.append((name, os.environ[name]))
    return pairs


def _property(text: str) -> tuple[str, str, str]:
    """Split `[SECTION.]KEY=VALUE` into its three parts; the section is looked up if it is not given."""
    from nsunit.definition.setting import lookup

    left, equals, value = text.partition("=")
    section, dot, key = left.partition(".")
    if not equals or not (key if dot else left):
        raise UsageError(f"'{printable(text)}' is not a key with its value", hint="--property=Rootfs=/srv/debian")
    if dot:
        return section, key, value
    known = next((section for section in _SECTIONS if lookup(section, left) is not None), "Container")
    return known, left, value
