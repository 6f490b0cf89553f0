"""image import."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.output import plural, print_json
from nsunit.features.images.bring import bring_in, source_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def import_image(invocation: Invocation) -> int:
    """`nsunit image import`."""
    source = source_of(invocation.operands[0])
    found = bring_in(invocation.context(), source, invocation.values("name"), invocation.value("platform") or "")
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        say(f"{found.id}  {', '.join(found.names) or 'without a name'}")
        said = plural(found.layers, "layer")
        say(f"{said}, {found.fetched or 'none'} of them new" if found.fetched != found.layers else f"{said}, all new")
    return 0
