"""The verbs that take files and containers in and out: cp, export, import, deploy, clone, rename."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb
from nsunit.imports import FORMATS

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
        understood=(Option("offer", "Print what SRC may become", run="nsunit.cli.transfer.copy:offer"),),
        complete="place",
        before="doctor",
        details=(
            "What is in a container is NAME:PATH, from its root on; anything else is a file of the host, with ./ in "
            "front where it has a colon. It may run, be paused or be stopped; binds and volumes are seen as it sees "
            "them. As SRC, - is a tar archive from standard input, which goes into the directory DEST; as DEST, - is "
            "one on standard output.",
            "If DEST is a directory, SRC is put into it, or only its content if SRC ends with '/.'. If it is not "
            "there, SRC is called that; a file is replaced. A directory in place of a file, or the reverse, is "
            "refused, and so is a device or a pipe.",
            "Links in a container never lead out of it, and nothing in it is executed. Files belong to root inside, "
            "or on the host to who calls this, and have no set-user-ID bits, unless --archive keeps the numbers of "
            "their owners. Links are copied as links; sockets and device nodes are left out.",
        ),
    ),
    Verb(
        "export",
        "transfer",
        "Write a container into one tar archive, or its definition as files of another tool",
        "nsunit.cli.transfer.kinds:take_out",
        operands="NAME FILE|- | NAME --as=KIND [DIR]",
        least=1,
        most=2,
        options=(
            Option("no-pause", "Do not pause a running container meanwhile"),
            Option(
                "as",
                "Of its definition, files of quadlet, run, compose, nspawn or oci",
                value="KIND",
                complete=("quadlet", "run", "compose", "nspawn", "oci"),
            ),
            Option("force", "With --as, replace files that are there", short="f"),
        ),
        complete="defined",
        before="doctor",
        details=(
            "It has the definition with its drop-ins, what the container has written (its upper layer, with owners "
            "as inside, extended attributes and whiteouts), and a list of what it needs of its host: binds, volumes, "
            "layers, its image by digest. Those are not in it, nor is a root that is a directory of the host's.",
            "FILE is there when it is whole, and only its owner can read it. For a smaller one: "
            "nsunit export web - | zstd > web.tar.zst",
            "With --as the definition becomes a .container file of Quadlet, a command line of podman, a compose file, "
            "a .nspawn file with a drop-in for its unit, or the config.json of an OCI bundle, printed or written to "
            "DIR. For each thing that cannot be said there is "
            "a line, FILE:LINE: KEY: why; what to use.",
        ),
    ),
    Verb(
        "import",
        "transfer",
        "Import a container that export has written, or definitions of another tool",
        "nsunit.cli.transfer.kinds:bring_in",
        operands="FILE|- | KIND [SOURCE…]",
        least=1,
        most=None,
        options=(
            Option("force", "Replace what is there of that name, a container if it is stopped", short="f"),
            Option("to", "Write the definitions there", value="DIR", complete=("directory",)),
            Option("dry-run", "Print the definitions, write nothing"),
            Option("name", "Of one container: what it is called", value="NAME"),
            Option("from-container", "Of 'run': a container of podman or docker", value="NAME"),
            Option("project", "Of 'compose': the project's name", value="NAME"),
            Option("profile", "Of 'compose': with the services of that profile", value="NAME", repeat=True),
        ),
        complete="file",
        before="doctor",
        details=(
            "FILE is an archive that 'nsunit export' has written. It may be compressed by gzip, zstd or xz, and need "
            "not be trusted: it is unpacked in a unit of its own, without network and with few privileges. All is "
            "checked before anything gets its name; a definition or state that is there is never overwritten without "
            "--force. It gets ids and an address of its own when it is started. What it needs and this host has not "
            "is told. It is not started, nor enabled.",
            "KIND says whose files they are, see below. SOURCE is a file, or a directory with such files; where it is "
            "left out, the tool's own directories. "
            "For each thing that is not carried over there is a line, FILE:LINE: KEY: why; what to use. The "
            "definitions are checked as 'nsunit verify' reads them, and all of them are written or none; nothing is "
            "overwritten without --force. See nsunit-import(7).",
        ),
        kinds=tuple((item.name, item.summary) for item in FORMATS),
    ),
    Verb(
        "deploy",
        "transfer",
        "Send a container with its image to another host, and start it there",
        "nsunit.cli.transfer.deploy:deploy",
        operands="NAME HOST|DIRECTORY, or DIRECTORY",
        most=2,
        options=(
            Option("delta", "Of changed layers, send only the content that no layer there has"),
            Option("state", "Send what the container has written as well"),
            Option("enable", "Have it started at boot there"),
            Option("force", "Replace a definition that did not come by deploy, or with --state a stopped container"),
            Option("no-pause", "With --state, do not pause a running container meanwhile"),
        ),
        understood=(Option("receive", "Be the other side"),),
        complete="defined",
        before="doctor",
        details=(
            "HOST is [USER@]HOST[:PORT], which has nsunit, too, and is reached by ssh(1). It is sent the layers of the "
            "image that it lacks, and the definition with its drop-ins; it starts the container, or restarts one that "
            "runs with another image or definition, and waits until it is ready and, where Health= checks it, healthy. "
            "If one that was there does not come up again, it runs as before, and the command fails.",
            "Layers keep the ids they have here, so that those of a registry are found to be there however they came. "
            "All are compared with what was unpacked here before they get their names.",
            "The networks and groups that it names go along, where none of the name is there. Directories of the host, "
            "volumes, secrets and pods are not sent, as warnings say; what has to be there, and is not, is told before "
            "anything is sent. A definition that is there is only replaced if it came by deploy and is as that left "
            "it, or with --force.",
            "A DIRECTORY, which has a slash in it, takes the same as files; 'nsunit deploy DIRECTORY', on whatever "
            "host sees it, takes all that lies there.",
        ),
    ),
    Verb(
        "clone",
        "transfer",
        "Make a copy of a container",
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
        "Rename a stopped container",
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
