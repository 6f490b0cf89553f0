"""systemd-machined on this host."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.features.boot.plan import machine_id
from nsunit.features.machined.plan import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the machine id to be registered, if the container is to be.

    Raises:
        NsunitError: it was asked for, and cannot be had.
    """
    asked: bool | None = definition.container.extra("machined")
    if asked and context.user:
        raise NsunitError(f"{definition.name}: Register=yes is for root's containers", hint="leave it out")
    installed = os.path.exists(PROGRAM) and not context.user
    if asked and not installed:
        raise NsunitError(
            f"{definition.name}: Register=yes needs systemd-machined, which is not installed",
            hint="install the package 'systemd-container'",
        )
    if asked is False or not installed:
        return facts
    return facts.with_extra("machined", machine_id(context.host.machine_id, definition.name))
