"""The verb `enable`."""

from __future__ import annotations

from nsunit.cli import warn
from nsunit.deeds.enable import enable as enable_containers
from nsunit.definition.load import default_instance
from nsunit.errors import UsageError
from nsunit.features import hooks
from nsunit.names import check_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.core.jobs import Outcome


def enable(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `enable`."""
    context = invocation.context()
    invocation.operands = [_instance(context, name) if name.endswith("@") else name for name in invocation.operands]
    outcomes = enable_containers(context, invocation.names("defined", pods=True), now=invocation.flag("now"))
    if any(item.error is None for item in outcomes):
        for note in hooks(context.features, "deeds.note_of_enable"):
            if text := note(context):
                warn(text)
    return outcomes


def _instance(context: Context, template: str) -> str:
    """The instance that *template*, `web@`, names for this."""
    name = check_name(f"{template}1")
    found = default_instance(name, context.search, context.host)
    if not found:
        raise UsageError(
            f"'{printable(template)}' is a template, and has no DefaultInstance= in [Install]",
            hint=f"name an instance: nsunit enable {template}INSTANCE",
        )
    return found
