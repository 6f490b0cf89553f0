"""Whether containers can be connected: all rules that are the same for each of them, as a trial, `nft -c`."""

from __future__ import annotations

from nsunit.core.findings import OK, WARNING, Finding, is_privileged
from nsunit.errors import NsunitError
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
