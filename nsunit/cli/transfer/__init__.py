"""The verbs that take files and containers in and out: cp, export, import, clone, rename."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "cp",
        "transfer",
        "Copy files into a container, out of it, or between two",
        "nsunit.cli.transfer.copy:copy",
        operands="SRC… DEST",
        least=2,
        most=None,
        options=(
            Option("archive", "Keep owners, set-user-ID bits, capabilities and ACLs", short="a"),
            Option("follow-link", "Copy what SRC leads to if it is a link", short="L"),
        ),
        complete="file",
        before="doctor",
        details=(
            "What is in a container is NAME:PATH, from its root on; anything else is a file of the host, with ./ in "
            "front where it has a colon. It may run, be paused or be stopped; binds and volumes are seen as it sees "
            "them. As SRC, - is a tar archive from standard input, which goes into the directory DEST; as DEST, - is "
            "one on standard output.",
            "If DEST is a directory, SRC is put into it, or only its content if SRC ends with '/.'. If it is not "
            "there, SRC is called that; a file is replaced. A directory in place of a file, or the reverse, is "
            "refused.",
            "Links in a container never lead out of it, and nothing in it is executed. Files belong to root inside, "
            "or on the host to who calls this, and have no set-user-ID bits, unless --archive keeps the numbers of "
            "their owners. Links are copied as links; sockets and device nodes are left out.",
        ),
    ),
    Verb(
        "export",
        "transfer",
        "Write a container into one tar archive",
        "nsunit.cli.transfer.archive:export",
        operands="NAME FILE|-",
        least=2,
        most=2,
        options=(Option("no-pause", "Do not pause it meanwhile if it runs"),),
        complete="defined",
        before="doctor",
        details=(
            "It has the definition with its drop-ins, what the container has written (its upper layer, with owners "
            "as inside, extended attributes and whiteouts), and a list of what it needs of its host: binds, volumes, "
            "layers, its image by digest. Those are not in it, nor is a root that is a directory of the host's.",
            "FILE is there when it is whole, and only its owner can read it. For a smaller one: "
            "nsunit export web - | zstd > web.tar.zst",
        ),
    ),
    Verb(
        "import",
        "transfer",
        "Bring a container in that export has written",
        "nsunit.cli.transfer.archive:restore",
        operands="FILE|-",
        least=1,
        most=1,
        options=(Option("force", "Put it in the place of a stopped one of its name", short="f"),),
        complete="file",
        before="doctor",
        details=(
            "The archive may be compressed by gzip, zstd or xz, and need not be trusted: it is unpacked in a unit of "
            "its own, without network and with few privileges. All is checked before anything gets its name; a "
            "definition or state that is there is never overwritten without --force.",
            "It gets ids and an address of its own when it is started. What it needs and this host has not is told. "
            "It is not started, nor enabled.",
        ),
    ),
    Verb(
        "clone",
        "transfer",
        "Make another container like one that is there",
        "nsunit.cli.transfer.archive:clone",
        operands="NAME NEW",
        least=2,
        most=2,
        complete="defined",
        before="doctor",
        details=(
            "Copies the definition with its drop-ins, and what the container has written; where the file system can "
            "(btrfs, XFS), both share blocks. One that runs is paused meanwhile. NEW gets ids and an address of its "
            "own. Ports, addresses and names that both cannot have, and binds that both write to, are told.",
        ),
    ),
    Verb(
        "rename",
        "transfer",
        "Give a stopped container another name",
        "nsunit.cli.transfer.archive:rename",
        operands="NAME NEW",
        least=2,
        most=2,
        complete="defined",
        before="doctor",
        details=(
            "Its definition, drop-ins, state, ids and address stay its own, and it is enabled if it was. Definitions "
            "of others that name it are told.",
        ),
    ),
)
