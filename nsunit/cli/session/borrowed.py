"""Options of `docker run` and `podman run` that mean exactly what a key means; cli/foreign_options.py has others."""

from __future__ import annotations

import os

from nsunit.errors import UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

    # section, key, value
    Said = tuple[str, str, str]

# option: its short form, the key, and what stands before the value.  What takes no value has one here.
_WITH_VALUE = {
    "add-host": ("", "AddHost", ""),
    "cap-add": ("", "Capability", "+"),
    "cap-drop": ("", "Capability", "-"),
    "device": ("", "Device", ""),
    "dns": ("", "DNS", ""),
    "dns-search": ("", "DNSSearch", ""),
    "env": ("", "Environment", ""),
    "expose": ("", "ExposedPort", ""),
    "group-add": ("", "SupplementaryGroups", ""),
    "hostname": ("", "Hostname", ""),
    "link": ("", "Link", ""),
    "net": ("", "Network", ""),
    "network": ("", "Network", ""),
    "network-alias": ("", "NetworkAlias", ""),
    "pod": ("", "Pod", ""),
    "publish": ("", "PublishPort", ""),
    "setenv": ("e", "Environment", ""),
    "stop-signal": ("", "StopSignal", ""),
    "sysctl": ("", "Sysctl", ""),
    "tmpfs": ("", "Tmpfs", ""),
    "uid": ("u", "User", ""),
    "volume": ("v", "Bind", ""),
    "workdir": ("", "WorkingDirectory", ""),
    "working-directory": ("w", "WorkingDirectory", ""),
}
_CAPABILITIES = ("cap-add", "cap-drop")
_FLAGS = {"init": ("Init", "yes"), "read-only": ("ReadOnly", "yes")}
_MEANT_ANYWAY = ("rm",)  # what has no name of its own leaves nothing, unless --keep is given

_WORDS = ("Bind", "Device", "Environment", "Tmpfs", "Volume")  # their values are quoted words

WITH_VALUE = tuple((long, short, key) for long, (short, key, _) in _WITH_VALUE.items())
FLAGS = (*_FLAGS, *_MEANT_ANYWAY)


def said(invocation: Invocation) -> list[Said]:
    """The keys for which options of *invocation* stand."""
    found = [("Container", key, value) for long, (key, value) in _FLAGS.items() if invocation.flag(long)]
    for long in (*(long for long in _WITH_VALUE if long not in _CAPABILITIES), *_capabilities(invocation)):
        _, key, before = _WITH_VALUE[long]
        for value in invocation.values(long):
            found += _key(long, key, before + value)
    return found


def _capabilities(invocation: Invocation) -> tuple[str, ...]:
    """The options about capabilities in the order in which they count there, however they are typed."""
    added, dropped = ({value.upper() for value in invocation.values(long)} for long in _CAPABILITIES)
    return _CAPABILITIES if "ALL" in added and "ALL" not in dropped else _CAPABILITIES[::-1]


def check_terminal(invocation: Invocation) -> None:
    """See that -t and -i do not meet a pipe or a file: its end is nothing that a terminal can pass on.

    Raises:
        UsageError: they do, and a shell would wait for ever.
    """
    if invocation.flag("tty") and invocation.flag("interactive") and not os.isatty(0):
        raise UsageError(
            "with -t and -i, standard input has to be a terminal",
            hint="leave -t out, -i alone passes on what can be read",
        )


def published(text: str) -> bool:
    """Whether the value of -p is ports, as in docker's -p 8080:80, and no key."""
    return "=" not in text and ":" in text and (text[0] in "0123456789[")


def is_port(text: str) -> bool:
    """Whether the value of -p is the port of a container alone, as in docker's -p 80, or -p 53/udp."""
    first, dash, last = text.partition("/")[0].partition("-")
    return all(part.isascii() and part.isdigit() for part in (first, *((last,) if dash else ())))


def _key(long: str, key: str, value: str) -> list[Said]:
    if key == "Environment":
        name, equals, _ = value.partition("=")
        if not name:
            raise UsageError(f"'{printable(value)}' is not a variable", hint=f"--{long}=NAME=VALUE")
        if not equals and name not in os.environ:
            return []
        value = value if equals else f"{name}={os.environ[name]}"
    if key == "User" and ":" in value:
        user, _, group = value.partition(":")
        return [("Container", "User", user), ("Container", "Group", group)]
    if key == "Bind" and value.startswith(("./", "../")):
        source, colon, rest = value.partition(":")
        value = f"{os.path.abspath(source)}{colon}{rest}"
    if key == "Bind":
        value = _without_labels(value)
    if key == "Bind" and (not value.startswith("/") or ":" not in value):
        key = "Volume"  # by its name, or without one
    return [("Container", key, _quoted(value) if key in _WORDS else value.replace("%", "%%"))]


def _without_labels(value: str) -> str:
    """SOURCE:TARGET:OPTIONS without z and Z, by which other tools label files for SELinux, as nsunit does not."""
    place, colon, options = value.rpartition(":")
    words = options.split(",")
    kept = [word for word in words if word not in ("z", "Z")]
    return value if not colon or kept == words else f"{place}:{','.join(kept)}" if kept else place


def _quoted(value: str) -> str:
    """*value* as one word of a definition."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'.replace("\n", "\\n").replace("\t", "\\t")
