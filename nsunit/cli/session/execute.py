"""The verb `exec`."""

from __future__ import annotations

import os

from nsunit.cli.session.borrowed import check_terminal
from nsunit.deeds.session.execute import execute as execute_command
from nsunit.errors import NotFoundError, SessionError, UsageError
from nsunit.names import check_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def execute(invocation: Invocation) -> int:
    """The verb `exec`."""
    check_terminal(invocation)
    name, *command = invocation.operands
    try:
        return execute_command(
            invocation.context(),
            check_name(name),
            command,
            tty=invocation.flag("tty"),
            interactive=invocation.flag("interactive"),
            user=invocation.value("uid"),
            working_directory=invocation.value("working-directory") or invocation.value("workdir"),
            environment=_environment((*invocation.values("setenv"), *invocation.values("env"))),
        )
    except NotFoundError as error:
        if invocation.flag("user") and len(command) > 1 and "is not defined" in error.message:
            error.hint = f"--user is for your own containers; a user of the container is --uid={printable(name)}"
        raise
    except SessionError as error:
        if error.message.endswith("drop privileges: Invalid argument"):
            error.hint = f"the ids of --uid must be among those of the container, which 'nsunit status {name}' has"
        raise


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
