"""Parsers for the keys that choose namespaces and what is special to one kind, text → parts of the Container record.

Most definitions have none of them, so `table_container` imports this module when one is met.
"""

from __future__ import annotations

from nsunit.definition.values import absolute_path, is_digits, usec, word_list
from nsunit.definition.values_container import group_name
from nsunit.definition.words import wrong
from nsunit.names import POD_SUFFIX, is_valid_name

SHARED = ("net", "ipc", "uts")  # by pods
CLOCKS = ("boottime", "monotonic")
DOMAIN_MAX = 64
_SECOND = 1_000_000
_OFFSET_SECONDS_MAX = (1 << 63) // 1_000_000_000 // 2  # KTIME_SEC_MAX / 2, as the kernel has it
_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_HINT = "use private, host, container:NAME or path:/…"


def namespace(text: str) -> str:
    """`private`, `host`, `container:NAME` or `path:PATH`."""
    if text in ("private", "host"):
        return text
    kind, colon, rest = text.partition(":")
    if kind == "container" and colon:
        if not is_valid_name(rest):
            raise wrong(rest, "is not the name of a container", _HINT)
        return text
    if kind == "path" and colon:
        return "path:" + absolute_path(rest)
    raise wrong(text, "is not a choice of namespace", _HINT)


def network(text: str) -> str:
    """`none` or any `namespace`; `private` is another word for `none`."""
    if text == "none":
        return text
    found = namespace(text)
    return "none" if found == "private" else found


def time_offset(text: str) -> tuple[str, int]:
    """`boottime 10d`, `monotonic -3h` → (clock, microseconds)."""
    clock, _, span = text.replace("\t", " ").partition(" ")
    if clock not in CLOCKS:
        raise wrong(clock, "is not a clock with an offset", "use boottime or monotonic, time_namespaces(7)")
    span = span.strip()
    sign = -1 if span[:1] == "-" else 1
    offset = usec(span[1:] if span[:1] in ("+", "-") else span)
    if offset // _SECOND > _OFFSET_SECONDS_MAX:
        raise wrong(span, "is too long an offset", "the kernel takes at most 146 years")
    return clock, sign * offset


def pod(text: str) -> str:
    """The name of a pod, with or without `.pod`; `shop-eu` is one within `shop`."""
    return group_name(text, POD_SUFFIX, "pod")


def share(text: str) -> tuple[str, ...]:
    """Kinds of namespaces that live on without a process: `net`, `ipc`, `uts`."""
    found = []
    for word in word_list(text):
        if word == "pid":
            raise wrong(word, "cannot be shared by a pod", "a PID namespace ends with its first process")
        if word not in SHARED:
            raise wrong(word, "is not a kind of namespace that a pod shares", f"there are {', '.join(SHARED)}")
        found.append(word)
    return tuple(kind for kind in SHARED if kind in found)


def network_of_pod(text: str) -> object:
    """`none` or the name of a network."""
    if text == "none":
        return text
    if text in ("host", "pasta", "private") or text.startswith(("container:", "path:")):
        raise wrong(text, "is not a network for a pod", "use none, bridge or that of a NAME.network.nsunit")
    from nsunit.definition.values_connection import connection

    return connection(text)


def domain_name(text: str) -> str:
    """An NIS domain name, at most 64 characters, setdomainname(2)."""
    if not text or len(text) > DOMAIN_MAX or not _DOMAIN.issuperset(text):
        raise wrong(text, "is not a domain name", f"use letters, digits, '.', '-' and '_', at most {DOMAIN_MAX}")
    return text


def id_map(text: str) -> tuple[int, int, int]:
    """`INSIDE OUTSIDE COUNT`, the columns of uid_map in user_namespaces(7)."""
    words = text.split()
    if len(words) != 3 or not all(is_digits(word) for word in words):
        raise wrong(text, "is not INSIDE OUTSIDE COUNT", "e.g. 0 524288 65536")
    inside, outside, count = map(int, words)
    if count < 1 or inside + count > _ID_END or outside + count > _ID_END:
        raise wrong(text, "is out of range", f"ids are 0 to {_ID_END - 1}")
    return inside, outside, count


_ID_END = (1 << 32) - 1  # the last number, (uid_t) -1, is no id
