"""image import and pull."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.output import plural, print_json
from nsunit.features.images.bring import check_names
from nsunit.features.images.fetch.origins import import_from
from nsunit.features.images.fetch.pull import pull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.images.bring import Imported


def import_image(invocation: Invocation) -> int:
    """`nsunit image import`."""
    names = invocation.values("name")
    check_names(names)
    platform = invocation.value("platform") or ""
    return tell(invocation, import_from(invocation.context(), invocation.operands[0], names, platform))


def pull_image(invocation: Invocation) -> int:
    """`nsunit image pull`."""
    return tell(invocation, pull(invocation.context(), invocation.operands[0], invocation.value("platform") or ""))


def tell(invocation: Invocation, found: Imported) -> int:
    """Print what has come into the store; the exit status."""
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        say(f"{found.id}  {', '.join(found.names) or 'without a name'}")
        said = plural(found.layers, "layer")
        say(f"{said}, {found.fetched or 'none'} of them new" if found.fetched != found.layers else f"{said}, all new")
    return 0
