"""Credentials in the unit of a container and in its set-up.  Pure."""

from __future__ import annotations

from nsunit.features.credentials.keys import of
from nsunit.features.credentials.setup import Credentials
from nsunit.plan.units import Directive
from nsunit.setup.mounts import MaskPaths
from nsunit.setup.process import User
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation


def commands(_definition: Definition, facts: Facts) -> list[Directive]:
    """What has systemd load the credentials that only `Secret=` asks for, from where they are."""
    return [
        Directive("Service", key, f"{name}:{path}", Property(key, "a(ss)", ((name, path),)))
        for key, name, path in facts.extra("credentials", ())
    ]


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with the step that hands them over, once all else is mounted and before the root's paths are closed."""
    user, group = next((item.user, item.group) for item in planned if isinstance(item, User))
    secrets = tuple(
        ":".join((item.name, item.variable, f"{item.mode:04o}", item.user, item.group, item.target))
        for item in of(container).secrets
    )
    step = Credentials(user, group, secrets)
    return [new for item in planned for new in ((step, item) if isinstance(item, MaskPaths) else (item,))]
