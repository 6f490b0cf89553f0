"""The verbs of `nsunit ns`: what there is of namespaces, and keeping them."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_KINDS = "KIND is one of cgroup, ipc, mnt, net, pid, time, user and uts."

VERBS = (
    Verb(
        "ns list/ls",
        "look",
        "Show the namespaces of containers, and what keeps each alive",
        "nsunit.cli.ns.namespaces:list_namespaces",
        operands="[NAME…]",
        most=None,
        options=(Option("left", "Show only namespaces that live on without their container or a pin"),),
        complete="running",
        details=(
            "The columns: container, kind, the number by which the kernel knows it (its inode), the user namespace "
            "that owns it, how many processes are in it, its pins, and what keeps it alive: processes, other "
            "namespaces, open files, bind mounts, pins.",
            "'host' is the host's own. 'left' marks one whose container has ended, or was started again without it, "
            "and which is not pinned: whatever is named behind it has to let go.",
        ),
    ),
    Verb(
        "ns same",
        "look",
        "Tell whether two containers are in the same namespaces",
        "nsunit.cli.ns.namespaces:same",
        operands="A B [KIND]",
        least=2,
        most=3,
        complete="running",
        details=(
            "A and B are containers, process ids, paths of namespaces such as /proc/1/ns/net, or 'host'. Exits with 0 "
            "if they share all kinds, or KIND, with 1 if not, with 3 if one of them is not running.",
            _KINDS,
        ),
    ),
    Verb(
        "ns pin",
        "change",
        "Keep a namespace alive without a process",
        "nsunit.cli.ns.pins:pin",
        operands="NAME KIND [PIN]",
        least=2,
        most=3,
        complete="running",
        details=(
            "Mounts the namespace of container NAME on /run/nsunit/namespaces/PIN/KIND and prints that path, which "
            "other tools can open, as nsenter --net=PATH. PIN is NAME if not given. It stays until 'ns unpin' or a "
            "reboot, whatever happens to the container. The user namespace that owns it stays as well.",
            "These mounts do not propagate to other mount namespaces. " + _KINDS,
        ),
    ),
    Verb(
        "ns unpin",
        "change",
        "Release pinned namespaces",
        "nsunit.cli.ns.pins:unpin",
        operands="PIN [KIND]",
        least=1,
        most=2,
        details=(
            "Also where a copy of the mount has come into another mount namespace: a service that has one of its own "
            "gets a copy of all that is mounted when it starts.",
        ),
    ),
)
