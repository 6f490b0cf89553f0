"""What others' files become: a pure function a format, definitions and remarks out, and the table of them.

Nothing here touches the system.  A format gets the texts by the names of their files and, for what these name
themselves, a function that reads; what it makes is checked and written by `nsunit.deeds.imports`.
HACKING.md says how to add one.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given, Imported


class Format(Record):
    """One kind of files, by the `name` that 'nsunit import' knows it by; lists are words with blanks between them.

    `module` has the function `convert(Given) -> Imported`.  `files` are patterns, fnmatch(3), of the names that are
    taken from a directory, with that of the directory in front where the pattern has a slash, and `deep` says whether
    those in directories of it are as well; `drop_ins` that those in FILE.d, *.conf, belong to FILE.  `places` are
    directories that are read where no source is named, of namesakes the first one counts; those of users may begin with
    a variable, and `$UID` is a number.  `links`: one to a directory is a text, the path it leads to, and not followed.
    `command`: what is named is a command line, and no files; `tools` are programs whose command lines it takes besides
    files.  `roots`: a directory that is a root itself, or whose name ends with `.mstack`, is one as well, by its path
    with a slash at the end and an empty text, and so is a file `.raw`.
    """

    name: str
    summary: str
    module: str
    files: str = "*"
    deep: bool = False
    drop_ins: bool = False
    links: bool = False
    places: str = ""
    users_places: str = ""
    command: bool = False
    tools: str = ""
    roots: bool = False

    def is_command(self, words: tuple[str, ...]) -> bool:
        """Whether the operands *words* are a command line."""
        return self.command or (bool(words) and words[0].rpartition("/")[2] in self.tools.split())

    def convert(self, given: Given) -> Imported:
        """What *given* becomes, of lines each.

        Raises:
            Unusable: nothing can come of it.
        """
        __import__(self.module)
        found: Imported = sys.modules[self.module].convert(given)
        broken = [remark for draft in found.drafts for remark in draft.without_broken()]
        return found.replace(remarks=(*found.remarks, *broken)) if broken else found


FORMATS = (
    Format(
        "quadlet",
        "Files of podman's Quadlet: .container, .pod, .network, .volume, .image, .build",
        "nsunit.imports.quadlet",
        files="*.container *.pod *.network *.volume *.image *.build *.kube",
        deep=True,
        drop_ins=True,
        places="/run/containers/systemd /etc/containers/systemd /usr/share/containers/systemd",
        users_places="$XDG_RUNTIME_DIR/containers/systemd $XDG_CONFIG_HOME/containers/systemd"
        " /etc/containers/systemd/users/$UID /etc/containers/systemd/users",
    ),
    Format(
        "run",
        "Command lines of docker run and podman run, behind --, or with --from-container a container of theirs",
        "nsunit.imports.run",
        command=True,
    ),
    Format(
        "compose",
        "Compose files of docker and podman: a definition for each service, and for networks",
        "nsunit.imports.compose",
        files="compose.yaml compose.yml docker-compose.yaml docker-compose.yml compose.override.yaml"
        " compose.override.yml docker-compose.override.yaml docker-compose.override.yml",
        places=".",
        users_places=".",
    ),
    Format(
        "nspawn",
        "Machines of systemd-nspawn: .nspawn files, drop-ins of systemd-nspawn@.service, trees, or a command line, "
        "behind --",
        "nsunit.imports.nspawn",
        files="*.nspawn systemd-nspawn@*.service",
        drop_ins=True,
        places="/etc/systemd/nspawn /run/systemd/nspawn /var/lib/machines /etc/systemd/system /run/systemd/system",
        tools="systemd-nspawn",
        roots=True,
    ),
    Format(
        "lxc",
        "Configurations of LXC, the file config of each container, or files of lxc.* keys",
        "nsunit.imports.lxc",
        files="config lxc.conf */config */lxc.conf",
        places="/var/lib/lxc",
        users_places="$HOME/.local/share/lxc",
    ),
    Format(
        "bundle",
        "Bundles of OCI runtimes: directories with a config.json",
        "nsunit.imports.bundle",
        files="config.json */config.json",
    ),
    Format(
        "unit",
        "Services of systemd's with a root of their own, RootDirectory= or RootImage=, and portable services",
        "nsunit.imports.unit",
        files="*.service",
        drop_ins=True,
        places="/etc/systemd/system.attached /run/systemd/system.attached",
        roots=True,
    ),
    Format(
        "libcgroup",
        "Groups and rules of libcgroup: cgconfig.conf, cgrules.conf, and what cgsnapshot writes",
        "nsunit.imports.libcgroup",
        files="cgconfig.conf cgrules.conf cgconfig.d/*.conf cgrules.d/*.conf",
        places="/etc /etc/cgconfig.d /etc/cgrules.d",
    ),
    Format(
        "openvz",
        "Containers of OpenVZ and Virtuozzo: CTID.conf, ve.conf",
        "nsunit.imports.openvz",
        files="*.conf",
        places="/etc/vz/conf",
    ),
    Format(
        "vserver",
        "Directories of Linux-VServer: /etc/vservers/NAME",
        "nsunit.imports.vserver",
        files="*",
        deep=True,
        links=True,
        places="/etc/vservers",
    ),
    Format(
        "lmctfy",
        "Containers of lmctfy: ContainerSpec in the text format of protocol buffers",
        "nsunit.imports.lmctfy",
        files="*.textproto *.pbtxt *.txtpb *.proto.txt *.config *.spec",
    ),
)


def names() -> tuple[str, ...]:
    """The names of all formats."""
    return tuple(item.name for item in FORMATS)


def find(name: str) -> Format | None:
    """The format of that name; None if there is none."""
    return next((item for item in FORMATS if item.name == name), None)


def of_file(path: str) -> str:
    """The name of the format whose files are called as the one at *path*; empty if there is none."""
    name = path.rpartition("/")[2]
    telling = ((item.name, word) for item in FORMATS if not item.command for word in item.files.split())
    return next((kind for kind, word in telling if word not in _ANYBODYS and fnmatchcase(name, word)), "")


_ANYBODYS = ("*", "*.conf", "*.config", "*.service", "*.spec", "config")  # names that say nothing of a kind
