"""Parsers for the [Container] section: text → parts of the Container record."""

from __future__ import annotations

from nsunit.definition.model import Bind, Tmpfs
from nsunit.definition.values import UINT32_MAX, absolute_path, boolean, is_digits, octal_mode, size, string, word_list
from nsunit.definition.words import ValueProblem, clean, fields, next_word, split, wrong
from nsunit.errors import did_you_mean
from nsunit.names import printable

UID_MAX = (1 << 32) - 2
HOSTNAME_MAX = 64
USER_NAME_MAX = 255

# In the order of <linux/capability.h>: the position is the bit.
CAPABILITIES = tuple(
    "CAP_" + name
    for name in (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
        " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT"
        " SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL"
        " SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
    ).split()
)

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALNUM = _LETTERS | frozenset("0123456789")
_TMPFS_HINT = "known are size, nr_inodes, mode, uid, gid"
_BIND_HINT = "use SOURCE[:TARGET[:OPTIONS]], options rbind, norbind, ro, rw, idmap[=DISK-INSIDE], noidmap, U"


def command(text: str) -> tuple[str, ...]:
    """One command line; quotes and C escapes as in ExecStart=, but no prefixes and no `$` expansion.

    A word may have any character but NUL, as a shell's program of several lines has.
    """
    words = arguments(text)
    check_program(words)
    return words


def arguments(text: str) -> tuple[str, ...]:
    """`Exec=`: a command line, of which the first word may be an argument to the entrypoint of an image."""
    words: list[str] = []
    position = 0
    while True:
        rest = text[position:].lstrip(" \t")
        if rest[:1] == ";" and rest[1:2] in ("", " ", "\t"):
            raise wrong(text, "is more than one command", "run a shell for that, or write \\; for the character")
        if rest[:2] == "\\;" and rest[2:3] in ("", " ", "\t"):
            words.append(";")
            position = len(text) - len(rest) + 2
            continue
        word, position = next_word(text, position, c_escapes=True, controls=True)
        if word is None:
            break
        words.append(word)
    return tuple(words)


def check_program(words: tuple[str, ...]) -> None:
    """See that a command line begins with a program.

    Raises:
        ValueProblem: it does not.
    """
    program = words[0] if words else ""
    if program[:1] in ("", "-", "@", ":", "+", "!", "|"):
        raise wrong(program, "is not a program", "nsunit takes no prefix before the program")
    if "/" in program and not program.startswith("/"):
        raise wrong(program, "is neither a plain name nor an absolute path")


def environment(text: str) -> tuple[tuple[str, str], ...]:
    """`NAME=VALUE…`, quotes and C escapes allowed; a value may have any character but NUL, as in a file."""
    found = []
    for word in split(text, c_escapes=True, controls=True):
        name, equals, value = word.partition("=")
        if not equals:
            raise wrong(word, "is not NAME=VALUE", "a value with blanks needs quotes around the whole")
        if not _is_passed_on(name):
            raise wrong(name, "is not the name of a variable", "use letters, digits, '_', '.' and '-', no digit first")
        found.append((name, value))
    return tuple(found)


def _is_passed_on(name: str) -> bool:
    """Whether a program may have a variable called *name*: shells cannot read one with a dot, others do."""
    return name[:1] not in (".", "-") and is_variable_name(name.replace(".", "_").replace("-", "_"))


def is_variable_name(name: str) -> bool:
    """Tell whether *name* is `[A-Za-z_][A-Za-z0-9_]*`."""
    allowed = _ALNUM | {"_"}
    return bool(name) and allowed.issuperset(name) and name[0] not in "0123456789"


def user(text: str) -> str:
    """A user name of the container, or a number; a number is never looked up as a name."""
    return _account(text, "a user", "Group=")


def group(text: str) -> str:
    """A group name of the container, or a number."""
    return _account(text, "a group", "User=")


def groups(text: str) -> tuple[str, ...]:
    """Group names or numbers."""
    return tuple(group(word) for word in word_list(text))


def _account(text: str, what: str, other: str) -> str:
    if text[:1] in "0123456789-+" and text:
        if not is_digits(text) or int(text) > UID_MAX or (len(text) > 1 and text[0] == "0"):
            raise wrong(text, f"is not the number of {what}", f"numbers are 0 to {UID_MAX}")
        return text
    allowed = _ALNUM | frozenset("_.-")
    if ":" in text:
        raise wrong(text, f"is not {what}", f"give the other half as {other}")
    if not text or len(text) > USER_NAME_MAX or not allowed.issuperset(text) or text[0] == ".":
        raise wrong(text, f"is not {what}", "use letters, digits, '_', '.' and '-', starting with a letter or '_'")
    return text


def hostname(text: str) -> str:
    """Labels of letters, digits and `-` joined by dots, at most 64 characters (RFC 1123, sethostname(2))."""
    labels = text.split(".")
    allowed = _ALNUM | {"-"}
    bad = any(not label or not allowed.issuperset(label) or label[0] == "-" or label[-1] == "-" for label in labels)
    if bad or len(text) > HOSTNAME_MAX or any(len(label) > 63 for label in labels):
        raise wrong(text, "is not a host name", f"use letters, digits and '-', at most {HOSTNAME_MAX}")
    return text


def working_directory(text: str) -> str:
    """An absolute path in the container, or `~`."""
    return text if text == "~" else absolute_path(text)


def target_path(text: str) -> str:
    """An absolute path in the container that may be mounted on."""
    path = absolute_path(text)
    if path == "/":
        raise wrong(text, "is the root itself", "use Rootfs= or Layer= for that")
    for tree in ("/proc", "/sys"):
        if path == tree or path.startswith(tree + "/"):
            raise wrong(text, f"is in {tree}, which nsunit sets up itself", "mount it somewhere else")
    return path


def binds(text: str) -> tuple[Bind, ...]:
    """`Bind=`: `[-]SOURCE[:TARGET[:OPTIONS]]…`."""
    return _binds(text, read_only=False)


def binds_read_only(text: str) -> tuple[Bind, ...]:
    """`BindReadOnly=`: like `binds`, never writable."""
    return _binds(text, read_only=True)


def _binds(text: str, *, read_only: bool) -> tuple[Bind, ...]:
    return tuple(_bind(word, read_only) for word in split(text, keep_escapes=True))


def _bind(word: str, read_only: bool) -> Bind:
    parts = fields(word)
    if len(parts) > 3:
        raise wrong(word, "has too many colons", "put a backslash before a colon that is part of a path")
    source = absolute_path(parts[0].removeprefix("-"))
    if len(parts) == 2 and _is_options(parts[1]):
        raise wrong(parts[1], "is an option, no target", f"write {parts[0]}::{parts[1]} for the same path inside")
    target = target_path(parts[1] if len(parts) > 1 and parts[1] else source)
    recursive, readable, idmap, one_id, owned = _bind_options(parts[2] if len(parts) > 2 else "", read_only)
    if owned and not _can_be_owned(source):
        raise wrong(source, "is the host's, and cannot become the container's", "leave out U, or name a directory")
    return Bind(source, target, readable, recursive, parts[0].startswith("-"), idmap, one_id, owned)


_HOSTS = tuple(f"/{name}/" for name in "bin boot dev etc lib lib32 lib64 proc root run sbin sys usr".split())


def _can_be_owned(source: str) -> bool:
    """Whether a typing error in a path is less than the end of the host."""
    return source.count("/") > 1 and not f"{source}/".startswith(_HOSTS)


def _one_id(text: str) -> tuple[int, ...]:
    """`DISK-INSIDE`."""
    numbers = text.split("-")
    if len(numbers) != 2 or not all(is_digits(number) and int(number) < UINT32_MAX for number in numbers):
        raise wrong(text, "is no id on disk and one inside", "e.g. idmap=1000-33")
    return tuple(map(int, numbers))


def _is_options(text: str) -> bool:
    """Whether *text* is options of a bind where its target should be."""
    words = [word.partition("=")[0] for word in text.split(",")]
    return all(word in ("rbind", "norbind", "ro", "rw", "idmap", "noidmap", "U") for word in words)


def _bind_options(text: str, read_only: bool) -> tuple[bool, bool, bool, tuple[int, ...], bool]:
    recursive = True
    idmap = owned = False
    one_id: tuple[int, ...] = ()
    always_read_only = read_only
    for option in filter(None, text.split(",")):
        if option in ("rbind", "norbind"):
            recursive = option == "rbind"
        elif option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in ("idmap", "noidmap"):
            idmap = option == "idmap"
        elif option.startswith("idmap="):
            one_id = _one_id(option.removeprefix("idmap="))
        elif option == "U":
            owned = True
        else:
            raise wrong(option, "is not an option of a bind mount", _BIND_HINT)
    if always_read_only and not read_only:
        raise wrong("rw", "contradicts BindReadOnly=", "use Bind=")
    if idmap + bool(one_id) + owned > 1:
        raise wrong(text, "says twice whose the files are", "choose one of idmap, idmap=DISK-INSIDE and U")
    return recursive, read_only, idmap, one_id, owned


def tmpfs(text: str) -> tuple[Tmpfs, ...]:
    """`TARGET[:OPTION=VALUE,…]…`."""
    return tuple(map(_tmpfs, split(text, keep_escapes=True)))


def _tmpfs(text: str) -> Tmpfs:
    parts = fields(text)
    if len(parts) > 2:
        raise wrong(text, "has too many colons", "put a backslash before a colon that is part of the path")
    options = []
    for option in filter(None, parts[1].split(",") if len(parts) > 1 else []):
        name, _, value = option.partition("=")
        options.append((name, _tmpfs_option(name, value, option)))
    if len({name for name, _ in options}) != len(options):
        raise wrong(text, "gives an option twice")
    return Tmpfs(target_path(parts[0]), tuple(options))


def _tmpfs_option(name: str, value: str, option: str) -> str:
    if name == "size" and value.endswith("%"):
        if is_digits(value[:-1]) and 0 < int(value[:-1]) <= 100:
            return value
        raise wrong(value, "is not a share of the memory", "use 1% to 100%")
    if name in ("size", "nr_inodes"):
        return str(size(value))
    if name == "mode":
        return f"{octal_mode(value):04o}"
    if name in ("uid", "gid"):
        return user(value) if name == "uid" else group(value)
    raise wrong(option, "is not an option of tmpfs", _TMPFS_HINT)


def capabilities(text: str) -> tuple[tuple[bool, str], ...]:
    """`[+|-]NAME…`, `ALL` → (whether added, name)."""
    found = []
    for word in word_list(text):
        name = word.lstrip("+-").upper()
        if name != "ALL" and not name.startswith("CAP_"):
            name = "CAP_" + name
        if (name != "ALL" and name not in CAPABILITIES) or word[1:2] in ("+", "-"):
            hint = did_you_mean(name, CAPABILITIES, "{}") or "see capabilities(7)"
            raise wrong(word, "is not a capability", hint)
        found.append((word[0] != "-", name))
    return tuple(found)


_IPC_SYSCTLS = frozenset(
    "kernel.shmmax kernel.shmall kernel.shmmni kernel.shm_rmid_forced kernel.msgmax kernel.msgmnb kernel.msgmni"
    " kernel.auto_msgmni kernel.sem kernel.shm_next_id kernel.msg_next_id kernel.sem_next_id".split()
)


def notify(text: str) -> bool | str:
    """`Notify=`: a boolean, or `healthy`."""
    return text if text == "healthy" else boolean(text)


def sysctl(text: str) -> tuple[str, str]:
    """`NAME=VALUE` of a kernel parameter that belongs to a namespace of the container."""
    name, equals, value = text.partition("=")
    name, value = name.rstrip(" \t"), value.lstrip(" \t")
    if not equals or not value:
        raise wrong(text, "is not NAME=VALUE", "e.g. net.ipv4.tcp_keepalive_time=600")
    if name in ("kernel.hostname", "kernel.domainname"):
        key = "Hostname=" if name == "kernel.hostname" else "Domainname="
        raise wrong(name, "is not set as a kernel parameter", f"use {key}")
    parts = name.split(".")
    allowed = _ALNUM | frozenset("_-/")
    if any(not part or not allowed.issuperset(part) for part in parts) or "//" in name:
        raise wrong(name, "is not the name of a kernel parameter", "join the parts with dots")
    if name not in _IPC_SYSCTLS and not name.startswith(("net.", "fs.mqueue.")):
        raise ValueProblem(
            f"'{printable(name)}' belongs to the whole machine",
            "a container can have its own net.*, fs.mqueue.*, kernel.shm*, kernel.msg* and kernel.sem",
        )
    return name, clean(string(value))


def interface_of(parameter: str) -> str:
    """The network interface that a kernel *parameter* is about, such as `net.ipv4.conf.eth0.forwarding`.

    Empty where it is about none or about one that each network has: lo, and what stands for all.  As in sysctl.d(5) a
    slash stands for a dot in the interface's name.
    """
    parts = parameter.split(".")
    if len(parts) < 5 or parts[0] != "net" or parts[2] not in ("conf", "neigh"):
        return ""
    return "" if parts[3] in ("all", "default", "lo") else parts[3].replace("/", ".")


def mask_of(names: tuple[str, ...]) -> int:
    """The bit mask of capability *names*."""
    mask = 0
    for name in names:
        mask |= 1 << CAPABILITIES.index(name)
    return mask


def names_of(mask: int) -> tuple[str, ...]:
    """The names of the bits set in *mask*; a bit this table does not know appears as its number."""
    return tuple(
        CAPABILITIES[bit] if bit < len(CAPABILITIES) else str(bit)
        for bit in range(mask.bit_length())
        if mask >> bit & 1
    )
