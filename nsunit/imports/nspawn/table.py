"""All options of systemd-nspawn(1), 252 to 262: what each becomes.  Keys of .nspawn files are options, too."""

from __future__ import annotations

from nsunit.imports.model import Draft, NotCarried
from nsunit.imports.nspawn import root
from nsunit.imports.nspawn.network import HANDLERS as NETWORK
from nsunit.imports.nspawn.network import networks
from nsunit.imports.nspawn.options import Said, is_true, value_of
from nsunit.imports.services import lost, nothing, take, verbatim
from nsunit.imports.text import command, literal, of_tmpfs, truth
from nsunit.imports.text import path as part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.podman.target import Target
    from nsunit.imports.services import Handler

_SCOPE = ("it is about who may do it", "use 'nsunit --user' for containers of a user")
_DISSECT = ("it is about a disk image", "'nsunit image import raw:FILE' reads it")
_JOURNAL = ("the journal of a system inside stays there", "'journalctl -M NAME' reads it")
_HERE = frozenset(("/dev", "/proc", "/run", "/sys"))


def _environment(target: Target, text: str) -> None:
    name, equals, value = text.partition("=")
    if not equals:
        raise NotCarried(f"the variable '{name}' is that of who calls systemd-nspawn", "write NAME=VALUE")
    target.words("Environment", f"{name}={value}")


def _capability(sign: str) -> Handler:
    def take_names(target: Target, text: str) -> None:
        if text in ("help", "list"):
            return
        names = text.replace(",", " ").upper().split()
        target.say("Capability", " ".join(sign + name.removeprefix("CAP_") for name in names))

    return take_names


def _no_new_privileges(target: Target, text: str) -> None:
    target.say("NoNewPrivileges", "yes" if truth(text) else "no")


def _flag(key: str) -> Handler:
    return lambda target, text: target.say(key, "yes") if truth(text) else None


def _users(target: Target, text: str) -> None:
    if text in ("yes", "true", "pick", "managed"):
        return  # nsunit's own range
    if text == "identity":
        target.say("PrivateUsers", "identity")
    elif text in ("no", "false", "0"):
        if target.pending.get("boot"):
            raise NotCarried("root of a whole system inside would be the host's", "leave it out, it has ids of its own")
        target.say("PrivateUsers", "no")
    else:
        start, _, count = text.partition(":")
        if not start.isdecimal() or not (count or "1").isdecimal():
            raise NotCarried(f"'{text}' is no range of ids", "use PrivateUsers=START:COUNT")
        target.say("PrivateUsers", f"{start}:{count or 65536}")


def _ownership(target: Target, text: str) -> None:
    if text == "chown":
        target.say("Ownership", "chown")
        target.remark(
            "its tree may belong to a range of ids that systemd-nspawn has chosen",
            "if so, 'stat -c %u TREE' says which: PrivateUsers=START:65536",
        )
    elif text == "foreign":
        raise NotCarried("the tree belongs to systemd's range for foreign ids", "give it to root: machinectl clone")


def _chown(target: Target, text: str) -> None:
    if truth(text):
        _ownership(target, "chown")


def _paths(text: str, count: int) -> list[str]:
    """The first *count* parts of *text*, empty where there are fewer, and the rest of it as it stands.

    Colons end them, a backslash keeps the next character, and blanks and quotes are such, as systemd has it there.
    """
    found = [""]
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "\\":
            char = text[position : position + 1]
            position += 1
        elif char == ":":
            if len(found) == count:
                break
            found.append("")
            continue
        found[-1] += char
    return [*found, *[""] * (count - len(found)), text[position:]]


def _bind(key: str) -> Handler:
    def bind(target: Target, text: str) -> None:
        optional = text.startswith("-")
        source, where, said = _paths(text.removeprefix("-"), 2)
        where = where or source
        if source.startswith("+"):
            raise NotCarried("what it shows is in its own root", "make a link there")
        if not source:
            target.words("Tmpfs", part(where))
            target.remark("it is in memory, and not on the host's disk", f"use Volume={where} to have it on disk")
            return
        options = [item for item in said.split(",") if item]
        kept = ["norbind"] if "norbind" in options else []
        for option in options:
            if option in ("rootidmap", "owneridmap"):
                target.remark(f"'{option}' gives files to root inside", "use idmap=DISK-INSIDE, or idmap")
            elif option not in ("rbind", "norbind", "idmap", "noidmap"):
                target.remark(f"'{option}' is no option of a bind", "leave it out")
        own = not target.pending.get("private users")
        below = "/" + source.lstrip("/").partition("/")[0]
        if "idmap" in options or (own and below not in _HERE and "noidmap" not in options):
            kept.append("idmap")
        words = [("-" if optional else "") + part(target.path(source))]
        if where != source or kept:
            words.append(part(where))
        target.words(key, ":".join([*words, *([",".join(kept)] if kept else [])]))

    return bind


def _tmpfs(target: Target, text: str) -> None:
    where, said = _paths(text, 1)
    kept = []
    for option in said.split(","):
        if option.partition("=")[0] in ("size", "mode", "uid", "gid", "nr_inodes"):
            kept.append(of_tmpfs(option))
        elif option not in ("", "nosuid", "nodev", "rw", "strictatime", "noatime", "relatime"):
            target.remark(f"'{option}' is no option of Tmpfs=", "leave it out")
    target.words("Tmpfs", f"{part(where)}:{','.join(kept)}" if kept else part(where))


def _inaccessible(_target: Target, text: str) -> None:
    raise NotCarried(f"'{text}' cannot be hidden as such", "use BindReadOnly=/dev/null:PATH, or Tmpfs=PATH")


def _overlay(_target: Target, _text: str) -> None:
    raise NotCarried("nothing lies over a directory to take what is written", "use Layer= for the root, or Bind=")


def _limit(target: Target, text: str) -> None:
    name, _, value = text.partition("=")
    name = name.upper().removeprefix("RLIMIT_").removeprefix("LIMIT")
    target.plain(f"Limit{name}", value, "Service")


def _property(target: Target, text: str) -> None:
    name, _, value = text.partition("=")
    if name in ("Slice", "Description"):
        raise NotCarried("nsunit says that itself", "use Slice=GROUP for limits that several share")
    take(target, "Service", name, literal(value))


def _register(target: Target, text: str) -> None:
    if not truth(text):
        target.say("Register", "no")


def _resolv_conf(_target: Target, text: str) -> None:
    if text not in ("auto", "copy-host", "copy-uplink"):
        raise NotCarried("/etc/resolv.conf is made at each start, with the host's servers", "use DNS= for others")


def _timezone(target: Target, text: str) -> None:
    if text in ("copy", "bind", "symlink", "auto"):
        target.say("BindReadOnly", "/etc/localtime")
    elif text not in ("off", "delete"):
        raise NotCarried(f"'{text}' is nothing that systemd-nspawn does", "use BindReadOnly=/etc/localtime")


def _link_journal(_target: Target, text: str) -> None:
    if text not in ("no", "auto", "try-guest"):
        raise NotCarried(*_JOURNAL)


def _sync(_target: Target, text: str) -> None:
    if truth(text):
        raise NotCarried("programs inside write to disk when they say so", "leave it out, or use Volatile=yes")


def _pipe(target: Target, text: str) -> None:
    if text in ("pipe", "yes"):
        target.say("Output", "pipe")


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(root.KEYS, nothing),  # said with the root
    **dict.fromkeys(("help", "version", "quiet", "keep-unit", "no-pager", "no-ask-password", "settings"), nothing),
    **dict.fromkeys(
        ("boot", "as-pid2", "background", "cleanup", "parameters"), nothing
    ),  # said with the command, or of the call
    **NETWORK,
    "ambient-capability": _capability("+"),
    "bind": _bind("Bind"),
    "bind-ro": _bind("BindReadOnly"),
    **dict.fromkeys(
        ("bind-user", "bind-user-group", "bind-user-shell"),
        lost("no user of the host becomes one inside", "use Bind= for the directory, and User= with the number"),
    ),
    "capability": _capability("+"),
    "chdir": verbatim("WorkingDirectory"),
    "console": _pipe,
    "cpu-affinity": verbatim("CPUAffinity", "Service"),
    "drop-capability": _capability("-"),
    **dict.fromkeys(
        [f"forward-journal{rest}" for rest in ("", "-max-use", "-keep-free", "-max-file-size", "-max-files")],
        lost(*_JOURNAL),
    ),
    "hostname": verbatim("Hostname"),
    "image-policy": lost(*_DISSECT),
    "inaccessible": _inaccessible,
    "kill-signal": verbatim("StopSignal"),
    "link-journal": _link_journal,
    "load-credential": verbatim("LoadCredential", "Service"),
    "no-new-privileges": _no_new_privileges,
    "notify-ready": _flag("Notify"),
    "oom-score-adjust": verbatim("OOMScoreAdjust", "Service"),
    "overlay": _overlay,
    "overlay-ro": _overlay,
    "personality": verbatim("Personality", "Service"),
    "pipe": _pipe,
    "pivot-root": lost("the root is not turned after it is mounted", "use the directory itself as Rootfs="),
    "private-users": _users,
    "private-users-chown": _chown,
    "private-users-delegate": lost("further ranges of ids are not given", "use PrivateUsers=START:COUNT"),
    "private-users-ownership": _ownership,
    "property": _property,
    "read-only": _flag("ReadOnly"),
    "register": _register,
    "resolv-conf": _resolv_conf,
    "restrict-address-families": verbatim("RestrictAddressFamilies", "Service"),
    "rlimit": _limit,
    **dict.fromkeys(("root-hash", "root-hash-sig", "verity-data"), lost(*_DISSECT)),
    **dict.fromkeys(("scope", "system"), lost(*_SCOPE)),
    **dict.fromkeys(("selinux-apifs-context", "selinux-context"), lost("nsunit sets no SELinux label", "leave it out")),
    "set-credential": verbatim("SetCredential", "Service"),
    "setenv": _environment,
    "share-system": lost("systemd has taken the option back", "leave it out"),
    "slice": lost("slices of nsunit are below nsunit.slice", "use Slice=GROUP and GROUP.slice.nsunit"),
    "suppress-sync": _sync,
    "system-call-filter": verbatim("SystemCallFilter", "Service"),
    "timezone": _timezone,
    "tmpfs": _tmpfs,
    "uid": verbatim("User"),
    "user": verbatim("User"),
    "uuid": lost("a machine's id is made from the host's and the container's name", "leave it out"),
}


def option(target: Target, name: str, text: str) -> None:
    """Take one option by its long name.

    Raises:
        NotCarried: a definition has nothing for it.
    """
    handler = HANDLERS.get(name)
    if handler is None:
        raise NotCarried("it is no option of systemd-nspawn(1)", "leave it out")
    handler(target, text)


def prepare(target: Target, options: Sequence[Said]) -> None:
    """Note what other options depend on."""
    users = value_of(options, "private-users")
    if is_true(options, "boot"):
        target.hold("boot", "yes")
    if value_of(options, "network-namespace-path"):
        target.hold("path", "yes")
    if users not in ("", "no", "false", "0"):
        target.hold("private users", users)


def finish(target: Target, options: Sequence[Said], words: Sequence[str]) -> list[Draft]:
    """Say what runs, and to what it is connected; returns definitions of networks.

    Raises:
        NotCarried: nothing runs in it but a shell on a terminal.
    """
    origin = next((item.origin for item in options if item.option in ("boot", "as-pid2")), target.origin)
    target.origin = origin
    if is_true(options, "boot"):
        target.say("Boot", "yes")
    target.origin = next((item.origin for item in options if item.option == "parameters"), origin)
    if is_true(options, "boot"):
        if words:
            target.say("Exec", command(["/sbin/init", *words]))
    elif words:
        target.say(target.command, command(list(words)))
        if is_true(options, "as-pid2"):
            target.say("Init", "yes")
    else:
        raise NotCarried(
            "it is a shell on a terminal", "name a program for it, or Boot=yes; 'nsunit run -ti' is for shells"
        )
    return networks(target, options)
