"""The verb `port`."""

from __future__ import annotations

import sys

from nsunit.cli.network.documents import attachment_document
from nsunit.cli.output import print_json
from nsunit.features.network.register import attachments, existing_attachment
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.network.model.port import Port


def port(invocation: Invocation) -> int:
    """The verb `port`; without a name, those of all containers."""
    context = invocation.context()
    names = [check_name(name) for name in invocation.operands]
    found = attachments(context)
    if names:
        found = [existing_attachment(context, name) for name in names]
    if invocation.flag("json"):
        print_json([attachment_document(item) for item in found])
        return 0
    for item in found:
        for published in item.ports:
            prefix = f"{item.container} " if len(names) != 1 else ""
            sys.stdout.write(f"{prefix}{published.container}/{published.protocol} -> {_host_side(published)}\n")
    return 0


def _host_side(published: Port) -> str:
    if not published.address:
        return f"0.0.0.0:{published.host} [::]:{published.host}"
    address = f"[{published.address}]" if ":" in published.address else published.address
    return f"{address}:{published.host}"
