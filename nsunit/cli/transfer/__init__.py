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
)
