"""Whether containers can be connected: all rules that are the same for each of them, as a trial, `nft -c`.

And what is left of containers that were: nothing where there is no nft, which they need.
"""

from __future__ import annotations

from nsunit.core.findings import OK, WARNING, Finding, is_privileged
from nsunit.core.programs import directory_with
from nsunit.errors import NsunitError
from nsunit.features.network import check
from nsunit.features.network.model import firewall
from nsunit.features.network.wire import nft

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def findings(_context: Context) -> list[Finding]:
    """The finding on this host; none for who may not try."""
    if not is_privileged():
        return []
    try:
        nft.check(firewall.base())
    except NsunitError as error:
        hint = error.hint or "the kernel lacks a module of nf_tables: see 'modinfo nft_socket nft_fib nft_masq'"
        return [Finding("network", WARNING, f"{error}: no container can be in a network, nor publish ports", hint)]
    return [Finding("network", OK, "nft and the kernel have what connected containers need")]


def left(context: Context) -> list[str]:
    """Links and rules that no container has."""
    return check.left(context) if is_privileged() and directory_with(("nft",)) else []


def take_away(context: Context) -> None:
    """Remove them."""
    check.take_away(context)
