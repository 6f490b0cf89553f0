"""Reading environment files."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.features.environment_files.keys import of
from nsunit.features.environment_files.syntax import parse_environment_file
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts


def missing_sources(container: Container) -> list[str]:
    """Which of the files have to be there and are not."""
    return [
        f"EnvironmentFile=: '{item.path}' does not exist"
        for item in of(container)
        if not item.optional and not os.path.exists(item.path)
    ]


def facts(_context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the variables.

    Raises:
        NsunitError: a file has a mistake.
    """
    return facts.replace(environment=(*facts.environment, *variables(definition.container)))


def variables(container: Container) -> tuple[tuple[str, str], ...]:
    """All that the files of *container* say, in their order."""
    found: tuple[tuple[str, str], ...] = ()
    for item in of(container):
        content = files.read_file(item.path)
        if content is None:
            continue  # optional: missing_sources told of any other
        try:
            found += parse_environment_file(content.decode())
        except ValueError as error:
            raise NsunitError(f"{item.path}: {error}") from error
    for name, value in found:
        if not value.isprintable():
            raise NsunitError(f"environment variable '{name}' from a file contains a control character")
    return found
