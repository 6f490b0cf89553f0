"""Whether containers can be connected: all rules that are the same for each of them, as a trial, `nft -c`.

And what is left of containers that were: nothing where there is no nft, which they need.
"""

from __future__ import annotations

from nsunit.core.findings import OK, WARNING, Finding, Leftover, Owners, is_privileged
from nsunit.core.programs import directory_with
from nsunit.errors import NsunitError
from nsunit.features.network import check, networks, program
from nsunit.features.network.model import firewall
from nsunit.features.network.register import attachments
from nsunit.features.network.wire import nft
from nsunit.storage.lock import Lock, wait_until_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context

_KIND = "network"


def findings(context: Context) -> list[Finding]:
    """The finding on this host; none for who may not try."""
    if not is_privileged():
        return []
    try:
        nft.check(firewall.base())
    except NsunitError as error:
        hint = error.hint or "the kernel lacks a module of nf_tables: see 'modinfo nft_socket nft_fib nft_masq'"
        return [Finding("network", WARNING, f"{error}: no container can be in a network, nor publish ports", hint)]
    return [Finding("network", OK, "nft and the kernel have what connected containers need"), *_lost(context)]


def _lost(context: Context) -> Iterator[Finding]:
    """What somebody else has taken away of what connected containers have, by `nft flush ruleset` for instance."""
    try:
        wrong = check.repairable(context)
    except NsunitError as error:
        yield Finding("network", WARNING, error.message, error.hint or "see 'nsunit network check'")
        return
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        hint = "see 'nsunit network check'; 'nsunit network repair' puts it right"
        yield Finding("network", WARNING, f"{wrong[0]}{more}", hint)


def forget_killed(context: Context) -> bool:
    """Take away what commands have left that were killed and is connected still; tells whether there was any.

    The caller has no lock but that of its own container.
    """
    try:
        names = [item.container for item in attachments(context)]
        owners = Owners(context)
    except NsunitError:
        return False  # what has failed before says more
    gone = [name for name in names if owners.is_free(name) and _forget(context, name)]
    return bool(gone)


def _forget(context: Context, name: str) -> bool:
    """Disconnect *name*, unless somebody is at work on it by now; tells whether it did."""
    directory = context.paths.network_of(name)
    try:
        with Lock(context.paths.locks, name, timeout=0):
            # Who still has hold of it is just taking it back itself.
            is_left = wait_until_left(context.paths.runtime_of(name), 0) and name not in Owners(context).alive
            if is_left and not context.user:
                program.detach(program.read(directory, context.paths.locks), context.paths.locks)
            if is_left:
                context.remove_tree(directory)
            return is_left
    except (NsunitError, FileNotFoundError):
        return False


def left(owners: Owners) -> Iterator[Leftover]:
    """Records that nobody can read; links and rules that no container has."""
    spoiled = networks.spoiled_records(owners.context)
    yield from (Leftover("network record", path, "nobody can read it") for path in spoiled)
    if is_privileged() and directory_with(("nft",)):
        try:
            found = check.left(owners.context)
        except NsunitError as error:
            found = []
            yield Leftover(_KIND, error.message, error.hint or "see 'nsunit network check'")
        yield from (Leftover(_KIND, text, "no container has it") for text in found)


def take_away(context: Context, item: Leftover) -> None:
    """Remove all of them, or mend the record, if *item* is one."""
    if item.kind == _KIND:
        check.take_away(context)
    elif item.kind == "network record":
        networks.mend_record(context, item.what)
