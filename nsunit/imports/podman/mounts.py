"""Volumes, mounts, tmpfs, devices and secrets."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.text import path as part
from nsunit.imports.text import size, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target

_NO_LABEL = ("nsunit sets no SELinux label", "leave it out")
# Binds below these are of file systems that may not know id-mapped mounts, or are everybody's anyway.
_NOT_MAPPED = ("/dev", "/proc", "/run", "/sys", "/var/run", "%t")
# What they mean is so anyway.
_ANYWAY = frozenset("rprivate private nosuid nodev rw consistent cached delegated default noatime suid dev".split())
_SECRET_TYPES = ("mount", "env")
# Options of --mount that are flags, by what they are called as those of --volume.
_FLAGS = {
    **{name: name for name in ("ro", "rw", "U", "notmpcopyup", "tmpcopyup", "nocopy")},
    "chown": "U",
    "bind-nonrecursive": "norbind",
    "volume-nocopy": "nocopy",
}


def fields(text: str) -> list[str]:
    """The parts of *text* between colons; a backslash keeps one."""
    found, current, rest = [], "", text
    while rest:
        if rest[0] == "\\" and rest[1:2] in (":", "\\"):
            current += rest[1]
            rest = rest[2:]
            continue
        if rest[0] == ":":
            found.append(current)
            current = ""
        else:
            current += rest[0]
        rest = rest[1:]
    return [*found, current]


def volume(target: Target, text: str) -> None:
    """`[[SOURCE:]TARGET[:OPTIONS]]`."""
    parts = fields(text)
    if len(parts) > 3:
        raise NotCarried(f"'{text}' has too many colons", "put a backslash in front of one that is part of a path")
    source, where = ("", parts[0]) if len(parts) == 1 else parts[:2]
    options = [item for item in (parts[2] if len(parts) > 2 else "").split(",") if item]
    mount_volume(target, source, where, options)


def mount_volume(target: Target, source: str, where: str, options: list[str]) -> None:
    """A directory of the host, if *source* is a path; a volume by its name, or without one."""
    known = target.names.volumes.get(source)
    if known is not None:
        source, _, more = known.partition(":")
        options = [*(item for item in more.split(",") if item), *options]
        if source == "tmpfs":
            tmpfs(target, f"{where}:{','.join(options)}" if options else where)
            return
    elif source.endswith(".volume"):
        raise NotCarried(f"there is no file '{source}'", "import it too, or name the volume")
    if source.startswith(("/", ".", "~", "%")):
        bind(target, target.path(source), where, options)
        return
    kept = _options(target, options, named=True)
    words = [source, part(where)] if source else [part(where)]
    target.words("Volume", ":".join([*words, ",".join(kept)] if kept else words))


def bind(target: Target, source: str, where: str, options: list[str], *, optional: bool = False) -> None:
    """A directory or file of the host."""
    kept = _options(target, options, named=False)
    read_only = "ro" in kept
    kept = [item for item in kept if item != "ro"]
    mapped = any(item.partition("=")[0] in ("idmap", "U") for item in kept)
    if not mapped and not target.user and not f"{source}/".startswith(tuple(f"{place}/" for place in _NOT_MAPPED)):
        kept.append("idmap")
    words = [("-" if optional else "") + part(source)]
    if where != source or kept:
        words.append(part(where))
    if kept:
        words.append(",".join(kept))
    target.words("BindReadOnly" if read_only else "Bind", ":".join(words))


def _options(target: Target, options: list[str], *, named: bool) -> list[str]:
    """Those of podman's *options* that a volume, or a bind, has."""
    found = []
    for option in options:
        name, _, value = option.partition("=")
        if option in ("z", "Z"):
            target.remark(*_NO_LABEL)
        elif option == "O":
            raise NotCarried("nothing lies over a directory to take what is written", "use ro, or Layer= for the root")
        elif option == "U":
            found.append("U")
        elif option in ("ro", "readonly", "read-only"):
            found.append("ro")
        elif option in ("copy", "nocopy", "noexec", "exec") and named:
            found += [option] if option.startswith("no") else []
        elif name == "size" and named:
            found.append(f"size={size(value)}")
        elif option in ("bind", "norbind") and not named:
            found.append("norbind")
        elif option in ("slave", "rslave"):
            target.say("Propagation", "slave")
        elif name == "idmap" and not named:
            if value:
                target.remark(f"'{option}' maps ids one by one", "use idmap, or idmap=DISK-INSIDE for one id")
            found.append("idmap")
        elif option in _ANYWAY or option in ("rbind", "copy", "exec", "strictatime", "relatime"):
            continue
        else:
            what = "a volume" if named else "a bind"
            target.remark(f"'{option}' is no option of {what}", "leave it out")
    return found


def tmpfs(target: Target, text: str) -> None:
    """`TARGET[:OPTIONS]`."""
    where, *rest = fields(text)
    kept = []
    for option in ":".join(rest).split(","):
        name, _, value = option.partition("=")
        if name == "size":
            kept.append(f"size={value if value.endswith('%') else size(value)}")
        elif name in ("mode", "uid", "gid", "nr_inodes") and value:
            kept.append(f"{name}={value}")
        elif name == "tmpfs-size":
            kept.append(f"size={size(value)}")
        elif name == "tmpfs-mode":
            kept.append(f"mode={value}")
        elif option in ("", "U", "notmpcopyup", "tmpcopyup") or option in _ANYWAY:
            if option == "tmpcopyup":
                target.remark("a tmpfs begins empty", "use Volume=, which is filled from the root")
        elif option not in ("exec",):
            target.remark(f"'{option}' is no option of Tmpfs=", "leave it out")
    target.words("Tmpfs", f"{part(where)}:{','.join(kept)}" if kept else part(where))


def mount(target: Target, text: str) -> None:
    """`type=TYPE,TYPE-SPECIFIC-OPTION[,...]`."""
    said: dict[str, str] = {}
    options: list[str] = []
    for item in _csv(text):
        name, equals, value = item.partition("=")
        name = {"src": "source", "dst": "target", "destination": "target", "readonly": "ro"}.get(name, name)
        if name in ("type", "source", "target") and equals:
            said[name] = value
        elif name in (
            "ro",
            "rw",
            "U",
            "chown",
            "notmpcopyup",
            "tmpcopyup",
            "bind-nonrecursive",
            "nocopy",
            "volume-nocopy",
        ):
            if not equals or truth(value):
                options.append(
                    {"chown": "U", "bind-nonrecursive": "norbind", "volume-nocopy": "nocopy"}.get(name, name)
                )
        elif name in ("bind-propagation", "propagation"):
            options.append(value)
        elif name == "relabel":
            target.remark(*_NO_LABEL)
        elif name == "consistency":
            continue
        else:
            options.append(item)
    kind = said.get("type", "volume")
    if kind not in _MOUNTS:
        raise NotCarried(f"nsunit has no mounts of type '{kind}'", _INSTEAD.get(kind, "use Bind=, Volume= or Tmpfs="))
    if "target" not in said and kind != "glob":
        raise NotCarried("it does not say where", "add target=PATH")
    _MOUNTS[kind](target, said, options)


def _bind_mount(target: Target, said: dict[str, str], options: list[str]) -> None:
    if "source" not in said:
        raise NotCarried("it does not say what", "add source=PATH")
    bind(target, target.path(said["source"]), said["target"], options)


def _volume_mount(target: Target, said: dict[str, str], options: list[str]) -> None:
    mount_volume(target, said.get("source", ""), said["target"], options)


def _tmpfs_mount(target: Target, said: dict[str, str], options: list[str]) -> None:
    tmpfs(target, f"{part(said['target'])}:{','.join(options)}" if options else part(said["target"]))


_MOUNTS: dict[str, Callable[[Target, dict[str, str], list[str]], None]] = {
    "bind": _bind_mount,
    "volume": _volume_mount,
    "tmpfs": _tmpfs_mount,
    "ramfs": _tmpfs_mount,
}
_INSTEAD = {
    "image": "use Layer=, or mount the image's root read-only by BindReadOnly= of 'nsunit mount'",
    "glob": "use a Bind= for each",
    "devpts": "leave it out, there is one",
    "artifact": "use BindReadOnly= of a file",
}


def _csv(text: str) -> list[str]:
    """The fields of a line of comma-separated values."""
    found, current, quoted, place = [], "", False, 0
    while place < len(text):
        char = text[place]
        if char == '"':
            if quoted and text[place + 1 : place + 2] == '"':
                current += '"'
                place += 1
            else:
                quoted = not quoted
        elif char == "," and not quoted:
            found.append(current)
            current = ""
        else:
            current += char
        place += 1
    return [*found, current]


def device(target: Target, text: str) -> None:
    """`[-]SOURCE[:TARGET][:RIGHTS]`."""
    if not text.removeprefix("-").startswith(("/", "%")):
        raise NotCarried(f"'{text}' is a device of CDI", "use Device= for each node that it stands for")
    target.words("Device", text)


def device_rule(target: Target, text: str) -> None:
    """`c 10:200 rwm`, as cgroup v1 has it."""
    kind, _, rest = text.partition(" ")
    numbers, _, rights = rest.partition(" ")
    major, _, minor = numbers.partition(":")
    names = {"c": "char", "b": "block"}
    if kind not in names or not (major.isdecimal() and minor.isdecimal()):
        raise NotCarried(f"'{text}' is not about one device", "use Device=, or [Service] DeviceAllow=")
    target.say("DeviceAllow", f"/dev/{names[kind]}/{major}:{minor} {rights or 'rwm'}", "Service")


def secret(target: Target, text: str) -> None:
    """`NAME[,OPTION=VALUE…]`."""
    name, *options = text.split(",")
    said = dict(option.partition("=")[::2] for option in options)
    kind = said.pop("type", "mount")
    if kind not in _SECRET_TYPES:
        raise NotCarried(f"a secret is no '{kind}'", "use type=env or type=mount")
    where = said.pop("target", "")
    kept = []
    if kind == "env":
        kept.append(f"env={where or name}")
        said = {}
    elif where and where not in (name, f"/run/secrets/{name}"):
        kept.append(f"target={where}")
    mode = said.pop("mode", "0444" if kind == "mount" else "")
    if mode:
        kept.append(f"mode={mode.rjust(4, '0')}")
    kept += [f"{key}={said.pop(key)}" for key in ("uid", "gid") if key in said]
    for option in said:
        target.remark(f"'{option}' is no option of a secret", "leave it out")
    target.plain("Secret", ":".join([name, *kept]))
    show = f"podman secret inspect --showsecret --format '{{{{.SecretData}}}}' {name}"
    encrypt = f"systemd-creds encrypt --name={name} - /etc/credstore.encrypted/{name}"
    target.remark("podman's own secrets are not read", f"{show} | {encrypt}")
