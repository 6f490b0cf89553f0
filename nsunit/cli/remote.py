"""`-H`: the same command by nsunit on another host, through ssh(1), as systemctl(1) has it.

ssh hands one text to a shell over there, so each word is quoted for it; that shell has sh(1) look whether nsunit is
there at all, since 127 alone may be the status of a command in a container.  The process becomes ssh: input and output
are the command's own, and so is the exit status, but for ssh's 255.
"""

from __future__ import annotations

import os
import shlex
import sys

from nsunit.errors import NsunitError, UsageError
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

_IF_THERE = """\
command -v nsunit >/dev/null || {
echo "nsunit: $0: nsunit is not installed there" >&2
echo "  hint: install it there, too, or see that it is in the PATH that ssh gives: $PATH" >&2
exit 127
}
exec nsunit "$@\""""
_EXAMPLE = "e.g. -H root@web1.example.net, or with a port, root@web1.example.net:2222"


_QUIET = ("-o", "LogLevel=ERROR")  # else each command ends with 'Connection to HOST closed.'
SCHEME = "ssh://"  # ssh(1) takes such URIs, and so do docker's -H and podman's --url


class Host(Record):
    """Where to go: what ssh(1) takes as its destination, and the port, empty for the usual one."""

    destination: str
    port: str = ""


def host_of(text: str) -> Host:
    """The host that `[USER@]HOST[:PORT]` means, or `ssh://` before it; an IPv6 address with a port is in brackets.

    Raises:
        UsageError: it means none.
    """
    whole, text = text, text.removeprefix(SCHEME)
    text = text.removesuffix("/") if text != whole else text  # `ssh://HOST/` has no path in it
    if "/" in text:
        hint = "-H names a host; containers on it are named behind the verb: nsunit -H HOST status NAME"
        raise UsageError(f"'{printable(whole)}' has more than a host in it", hint=hint)
    user, at, host = text.rpartition("@")
    name, colon, port = host.rpartition(":")
    if not colon or (":" in name and not name.endswith("]")):  # an IPv6 address, of which the end is no port
        name, port = host, ""
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    is_port = not port or (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
    is_name = name and not name.startswith("-") and name.isprintable() and not set(name) & set(" []")
    if not (is_port and is_name and not host.endswith(":")) or user.startswith("-") or bool(at) != bool(user):
        raise UsageError(f"'{printable(whole)}' is not a host", hint=_EXAMPLE)
    return Host(f"{user}{at}{name}", port)


def words_of(verb: str, values: Mapping[str, Sequence[str]], operands: Sequence[str], *, foreign: bool) -> list[str]:
    """The command line over there; of a *foreign* verb the operands are all that it takes, options too."""
    options = [f"--{name}" for name, given in values.items() if not given and name != "host"]
    options += [f"--{name}={value}" for name, given in values.items() if name != "host" for value in given]
    if foreign:
        return ["nsunit", *options, *verb.split(), *operands]
    return ["nsunit", *verb.split(), *options, *(("--", *operands) if operands else ())]


def ssh_command(host: Host, words: Sequence[str], *, terminal: bool) -> list[str]:
    """How ssh is called to run *words*, on a terminal of its own or not."""
    port = ("-p", host.port) if host.port else ()
    how = ("-t", *_QUIET) if terminal else ("-T",)
    return ["ssh", *how, *port, "--", host.destination, shlex.join(words)]


def hand_over(verb: str, values: Mapping[str, Sequence[str]], operands: Sequence[str], *, foreign: bool) -> NoReturn:
    """Become ssh, which runs the command on the host in *values*.

    Raises:
        UsageError: that is no host.
        NsunitError: ssh is not installed.
    """
    if verb == "kill" and values["host"][-1] == "UP":
        raise UsageError("'-HUP' is -H UP, a host", hint="'nsunit kill -s HUP NAME' sends the signal")
    host = host_of(values["host"][-1])
    _, *words = words_of(verb, values, operands, foreign=foreign)
    words = ["sh", "-c", _IF_THERE, host.destination, *words]
    sys.stdout.flush()
    try:
        os.execvp("ssh", ssh_command(host, words, terminal=os.isatty(0) and os.isatty(1)))
    except FileNotFoundError:
        hint = "install the package 'openssh-client'"
        raise NsunitError("other hosts are reached by ssh, which is not installed", hint=hint) from None
