"""The variables of environment files in the set-up of a container.  Pure."""

from __future__ import annotations

from nsunit.setup.process import Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation


def operations(planned: list[Operation], _container: Container, facts: Facts) -> list[Operation]:
    """*planned* with the variables that are in the files: they override those of Environment=, see systemd.exec(5)."""
    variables = tuple(f"{name}={value}" for name, value in facts.extra("environment_files", ()))
    return [Environment((*item.assignments, *variables)) if isinstance(item, Environment) else item for item in planned]
