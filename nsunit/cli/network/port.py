"""The verb `port`."""

from __future__ import annotations

import sys

from nsunit.cli.network.documents import attachment_document
from nsunit.cli.output import print_json
from nsunit.errors import NotFoundError, UsageError
from nsunit.features.network.register import attachments, existing_attachment
from nsunit.features.network.values import PROTOCOLS
from nsunit.names import check_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.features.network.model.port import Port


def port(invocation: Invocation) -> int:
    """The verb `port`; without a name, those of all containers."""
    context = invocation.context()
    operands, wanted = _parted(invocation.operands)
    names = [check_name(name) for name in operands]
    found = attachments(context)
    if names:
        found = [existing_attachment(context, name) for name in names]
    if wanted:
        found = [item.replace(ports=tuple(port for port in item.ports if _called(port) == wanted)) for item in found]
        for item in found:
            if names and not item.ports:
                raise NotFoundError(f"{item.container}: its port {wanted} is not published")
    if invocation.flag("json"):
        print_json([attachment_document(item) for item in found])
        return 0
    for item in found:
        for published in item.ports:
            prefix = f"{item.container} " if len(names) != 1 else ""
            inside = "" if wanted else f"{_called(published)} -> "
            sys.stdout.write(f"{prefix}{inside}{_host_side(published)}\n")
    return 0


def _parted(operands: Sequence[str]) -> tuple[Sequence[str], str]:
    """The names among *operands*, and the port behind them as `_called` has it; a name alone may be a number.

    Raises:
        UsageError: it is no port.
    """
    last = operands[-1] if operands else ""
    number, slash, protocol = last.partition("/")
    if not slash and not (len(operands) > 1 and last.isascii() and last.isdigit()):
        return operands, ""
    if not (number.isascii() and number.isdigit()) or (slash and protocol not in PROTOCOLS):
        raise UsageError(f"'{printable(last)}' is no port", hint="80, 80/tcp or 53/udp")
    return operands[:-1], f"{int(number)}/{protocol or PROTOCOLS[0]}"


def _called(published: Port) -> str:
    return f"{published.container}/{published.protocol}"


def _host_side(published: Port) -> str:
    if not published.address:
        return f"0.0.0.0:{published.host} [::]:{published.host}"
    address = f"[{published.address}]" if ":" in published.address else published.address
    return f"{address}:{published.host}"
