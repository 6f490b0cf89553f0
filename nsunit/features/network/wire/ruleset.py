"""The kernel's rules over netlink, as far as libnftables is not needed: their generation, and what is taken away.

Each transaction that anybody makes gives the ruleset another generation.  The one that nsunit's own transaction has
left is noted in the file that is locked meanwhile: as long as it is the same, all is there that was made, and a start
adds what is its own; a stop names what goes, where libnftables would be asked for, and loaded.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import errno
import os
import struct

from nsunit.errors import NsunitError
from nsunit.features.network.model import firewall
from nsunit.features.network.wire.netlink import NLM_F_ACK, answers, attribute, attributes, connect, message, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.features.network.model.attachment import Attachment
    from nsunit.features.network.model.firewall import Key

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
_NETLINK_NETFILTER, _SUBSYSTEM = 12, 10 << 8
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GET_CHAIN, _DELETE_CHAIN, _DELETE_RULE, _GET_ELEMENT, _DELETE_ELEMENT, _NEW_GENERATION, _GET_GENERATION = (
    _SUBSYSTEM | kind for kind in (4, 5, 8, 13, 14, 15, 16)
)
_GEN_ID = 1
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE, _HOOK_NUMBER = 1, 3, 4, 5, 7, 1
_RULE_TABLE, _RULE_CHAIN = 1, 2
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS, _ELEMENT, _ELEMENT_KEY, _DATA_VALUE = 1, 2, 3, 1, 1, 1
_NLMSG_ERROR, _NLM_F_DUMP = 2, 0x300
_NESTED = 0x8000
_FAMILIES = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}
_OWN_FAMILIES = ("inet", "bridge")
_HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
_POLICIES = ("drop", "accept")
_PROTOCOLS = {"tcp": _socket.IPPROTO_TCP, "udp": _socket.IPPROTO_UDP, "sctp": 132}
_REPLY_MAX = 1 << 16
_NOTE_MAX = 128


class Ruleset:
    """A connection to the rules of the network namespace that it is made in.

    Closing it waits for what was deleted to be gone for good, a few milliseconds: who has other work does that before.
    """

    def __init__(self) -> None:
        self.socket = connect(_NETLINK_NETFILTER)

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def generation(self) -> int:
        """The number of the ruleset's state; 0 where the kernel has no nf_tables."""
        self.socket.send(message(_GET_GENERATION, 0, _about()))
        answer = self.socket.recv(_REPLY_MAX)
        (kind,) = struct.unpack_from("=4xH", answer)
        if kind != _NEW_GENERATION:
            return 0
        return int.from_bytes(attributes(answer[20:])[_GEN_ID])

    def lacks(self, key: Key) -> bool:
        """Whether there is no element of that *key*; False where the kernel says anything else."""
        self.socket.send(message(_GET_ELEMENT, 0, _element(key)))
        kind, code = struct.unpack_from("=4xH10xi", self.socket.recv(_REPLY_MAX))
        return (kind, -code) == (_NLMSG_ERROR, errno.ENOENT)

    def remove(self, item: Attachment) -> bool:
        """Delete what is *item*'s, all or nothing; False where some of it is not there, or the kernel refuses it.

        The kernel answers for each chain, and says nothing where it has not looked at the transaction at all.
        """
        try:
            self.socket.send(removal(item))
        except OSError as error:
            if error.errno != errno.EMSGSIZE:  # of thousands of ports; libnftables asks for room
                raise
            return False
        answers = []
        try:
            while True:  # it is all done, or refused, when send() returns
                answers.append(struct.unpack_from("=4xH10xi", self.socket.recv(_REPLY_MAX, _socket.MSG_DONTWAIT)))
        except BlockingIOError:
            return answers == [(_NLMSG_ERROR, 0)] * (len(item.links) * len(_OWN_FAMILIES))


def removal(item: Attachment) -> bytes:
    """The transaction of `firewall.detach`, where all of it is there: elements, rules, and the chains themselves."""
    batch = message(_BATCH_BEGIN, 0, _about(resource=_SUBSYSTEM >> 8))
    for key in firewall.keys(item):
        batch += message(_DELETE_ELEMENT, 0, _element(key))
    chains = [(family, link) for link in item.links for family in _OWN_FAMILIES]
    for family, link in chains:
        body = text(_RULE_TABLE, firewall.TABLE) + text(_RULE_CHAIN, link)
        batch += message(_DELETE_RULE, 0, _about(family) + body)
    for family, link in chains:
        body = text(_CHAIN_TABLE, firewall.TABLE) + text(_CHAIN_NAME, link)
        batch += message(_DELETE_CHAIN, NLM_F_ACK, _about(family) + body)
    return batch + message(_BATCH_END, 0, _about(resource=_SUBSYSTEM >> 8))


def chains() -> list[dict[str, Any]]:
    """All chains of the host as `nft -j list chains` has them, but for priorities and devices.

    Raises:
        NsunitError: the kernel refused it.
    """
    families = {number: name for name, number in _FAMILIES.items()}
    try:
        listed = answers(_NETLINK_NETFILTER, _GET_CHAIN, _NLM_F_DUMP, _about())
    except OSError as error:
        raise NsunitError(f"cannot list the chains of firewalls: {error.strerror}") from None
    found = []
    for answer in listed:
        about = attributes(answer[4:])
        if _CHAIN_NAME not in about:
            continue  # what ends the list
        chain = {"family": families.get(answer[0], ""), "table": _text(about[_CHAIN_TABLE])}
        chain["name"] = _text(about[_CHAIN_NAME])
        if _CHAIN_HOOK in about:
            hook = int.from_bytes(attributes(about[_CHAIN_HOOK])[_HOOK_NUMBER])
            chain["hook"] = _HOOKS[hook] if hook < len(_HOOKS) else ""
            chain["type"] = _text(about.get(_CHAIN_TYPE, b""))
            chain["policy"] = _POLICIES[int.from_bytes(about[_CHAIN_POLICY])] if _CHAIN_POLICY in about else ""
        found.append({"chain": chain})
    return found


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode("utf-8", "replace")


def _about(family: str = "", resource: int = 0) -> bytes:
    """The struct nfgenmsg."""
    return struct.pack("!BBH", _FAMILIES.get(family, 0), 0, resource)


def _element(key: Key) -> bytes:
    """What is said of one element."""
    family, name, parts = key
    element = _nested(_ELEMENT, _nested(_ELEMENT_KEY, attribute(_DATA_VALUE, b"".join(map(_encoded, parts)))))
    return _about(family) + text(_LIST_TABLE, firewall.TABLE) + text(_LIST_SET, name) + _nested(_LIST_ELEMENTS, element)


def _nested(kind: int, content: bytes) -> bytes:
    return attribute(kind | _NESTED, content)


def _encoded(part: tuple[str, object]) -> bytes:
    """One part of a key, given its type as nftables calls it, as the kernel has it: padded to four bytes."""
    kind, value = part
    match kind, value:
        case "ifname", str():
            return value.encode().ljust(16, b"\0")
        case "ipv4_addr", str():
            return _socket.inet_pton(_socket.AF_INET, value)
        case "ipv6_addr", str():
            return _socket.inet_pton(_socket.AF_INET6, value)
        case "inet_proto", str():
            return bytes((_PROTOCOLS[value], 0, 0, 0))
        case _:
            return struct.pack("!HH", value, 0)  # inet_service


def noted(fd: int) -> tuple[int, str]:
    """The generation that is noted in the file *fd*, 0 for none, and what the rules for all were made of."""
    generation, _, digest = os.pread(fd, _NOTE_MAX, 0).decode("ascii", "replace").partition(" ")
    return (int(generation) if generation.isdecimal() else 0), digest


def note(fd: int, generation: int, digest: str) -> None:
    """Note both in the file *fd*; whoever is killed meanwhile leaves nothing that could be taken for it."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{generation} {digest}".encode(), 0)
