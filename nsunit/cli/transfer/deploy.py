"""The verb `deploy`: a container to another host by ssh, into a directory, or out of one."""

from __future__ import annotations

import os
import subprocess

from nsunit.cli import say
from nsunit.cli.output import format_size, plural, print_json
from nsunit.cli.remote import SCHEME, Host, host_of, ssh_command
from nsunit.cli.transfer.receive import receive, take
from nsunit.errors import NsunitError, UsageError
from nsunit.features.transfer.deploy import folder
from nsunit.features.transfer.deploy.channel import Channel, EndedError
from nsunit.features.transfer.deploy.receive import bring_in, check, lacking
from nsunit.features.transfer.deploy.send import Deployed, converse, offer_of
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.features.transfer.deploy.offer import Offer

_NO_COMMAND = 127  # of a shell
_NO_CONNECTION = 255  # of ssh(1)


def deploy(invocation: Invocation) -> int:
    """The verb `deploy`."""
    if invocation.flag("receive"):
        return receive(invocation)
    if not invocation.operands:
        raise UsageError("what to deploy is missing", hint="nsunit deploy NAME [USER@]HOST[:PORT]|DIRECTORY")
    first, *rest = invocation.operands
    if not rest and "/" not in first:
        hint = f"nsunit deploy {printable(first)} [USER@]HOST[:PORT]|DIRECTORY"
        raise UsageError(f"where '{printable(first)}' is to go is missing", hint=hint)
    if not rest:
        return _tell(invocation, _from_directory(invocation, first.rstrip("/") or "/"))
    target = rest[0]
    host = _host_in(target)  # what is none is told before anything is done
    context = invocation.context()
    flags = {key: invocation.flag(key) for key in ("state", "force")}
    offer = offer_of(context, first, **flags)
    pause = not invocation.flag("no-pause")
    if host is None:
        return _tell(invocation, [folder.put(context, offer, target.rstrip("/") or "/", pause=pause)])
    return _tell(invocation, [_to_host(invocation, offer, host, target, pause=pause)])


def _host_in(target: str) -> Host | None:
    """The host that *target* is, or None if it is a directory."""
    if "/" not in target or target.startswith(SCHEME):
        return host_of(target)
    host, _, path = target.partition("/")
    if host.endswith(":"):  # as of scp(1), which takes no directory for such a word either
        hint = (
            f"'nsunit deploy NAME {printable(host[:-1])}' sends it to that host; './{printable(target)}' is a directory"
        )
        raise UsageError(f"'{printable(target)}' is neither a host nor a directory", hint=hint)
    return None


def _to_host(invocation: Invocation, offer: Offer, host: Host, called: str, *, pause: bool) -> Deployed:
    words = ["nsunit", "deploy", "--receive", *(["--user"] if invocation.flag("user") else [])]
    context = invocation.context()
    before = context.warn
    try:
        process = subprocess.Popen(  # noqa: S603 — no shell here, and quoted for the one over there
            ssh_command(host, words, terminal=False), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    except FileNotFoundError:
        hint = "install the package 'openssh-client'"
        raise NsunitError("other hosts are reached by ssh, which is not installed", hint=hint) from None
    assert process.stdin and process.stdout
    channel = Channel(process.stdout.fileno(), process.stdin.fileno())
    failure: NsunitError | None = None
    try:
        channel.wait_for_greeting()
        context.warn = lambda text: before(f"{called}: {text}")
        state, sent = converse(
            context,
            offer,
            channel,
            delta=invocation.flag("delta"),
            enable=invocation.flag("enable"),
            pause=pause,
        )
    except EndedError:
        failure = NsunitError("")
    except NsunitError as error:
        failure = NsunitError(f"{called}: {error.message}", hint=error.hint)
        failure.exit_status = error.exit_status
    finally:
        context.warn = before
        process.stdin.close()
        process.stdout.close()
        status = process.wait()
    if failure is not None:
        raise failure if failure.message else _ended(called, status)
    return Deployed(offer.name, called, state, len(offer.layers), sent, channel.sent)


def _ended(called: str, status: int) -> NsunitError:
    """What is raised where the other side is gone, by the exit *status* of ssh."""
    if status == _NO_COMMAND:
        return NsunitError(f"{called}: nsunit is not installed there", hint="install it there, too")
    if status == _NO_CONNECTION:
        error = NsunitError(f"{called}: the connection by ssh has failed or was lost", hint="see what ssh has said")
        error.exit_status = _NO_CONNECTION
        return error
    hint = f"see what it has said, and whether 'nsunit -H {called} deploy --help' knows this verb"
    return NsunitError(f"{called}: its nsunit has ended with status {status} before it was done", hint=hint)


def _from_directory(invocation: Invocation, directory: str) -> list[Deployed]:
    context = invocation.context()
    found = []
    for offer in folder.offers_in(directory, force=invocation.flag("force")):
        found.append(_one(context, offer, os.path.abspath(directory), enable=invocation.flag("enable")))
    return found


def _one(context: Context, offer: Offer, directory: str, *, enable: bool) -> Deployed:
    definition = check(context, offer)
    layers = lacking(context, offer)
    size = 0
    for layer in layers:
        path = folder.archive_of(directory, layer)
        if not os.path.exists(path):
            raise NsunitError(f"'{printable(path)}' is missing", hint="deploy it anew")
        size += os.path.getsize(path)
    bring_in(context, offer, layers, lambda _staging, layer: folder.archive_of(directory, layer))
    state = take(context, offer, definition, f"{directory}/{offer.name}.tar", enable=enable)
    return Deployed(offer.name, directory, state, len(offer.layers), len(layers), size)


def _tell(invocation: Invocation, found: list[Deployed]) -> int:
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        for item in found:
            layers = f": {item.sent or 'none'} of {plural(item.layers, 'layer')} sent, {format_size(item.bytes)}"
            say(f"{item.name}: {item.state}, {item.to}{layers if item.layers else ''}")
    return 0
