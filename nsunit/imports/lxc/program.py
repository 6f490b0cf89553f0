"""lxc.init, lxc.execute, lxc.signal, lxc.cap: what runs, and with which rights."""

from __future__ import annotations

from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.text import command
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lxc.config import Config
    from nsunit.imports.model import Given
    from nsunit.imports.podman.target import Target

_INITS = ("init", "systemd")
_WITHOUT_SYSTEMD = ("alpine", "busybox", "gentoo", "void", "devuan", "slackware", "openwrt", "plamo")
_DEFAULT = "/sbin/init"
_HALT = "SIGPWR"  # that of LXC


def prepare(target: Target, given: Given, config: Config, tree: str) -> None:
    """Say what runs: the systemd of the root, another init, a program."""
    item = config.item("lxc.init.cmd")
    execute = config.item("lxc.execute.cmd")
    if item is None and execute is not None:
        target.origin = execute.origin
        target.say("Exec", command(_words(execute.value)))
        target.say("Init", "yes")
        return
    root = config.item("lxc.rootfs.path")
    target.origin = item.origin if item else (root.origin if root else Origin("", 0, ""))
    words = _words(item.value) if item else [_DEFAULT]
    if words[0].rpartition("/")[2] not in _INITS:
        target.say("Exec", command(words))
        return
    is_systemd = _has_systemd(given, config, tree)
    if is_systemd or _may_mount(config):
        target.hold("boot", "yes")
        target.say("Boot", "yes")
    halt = config.item("lxc.signal.halt")
    if is_systemd:
        if words != [_DEFAULT]:
            target.say("Exec", command(words))
        return
    target.say("Exec", command(words))
    if "boot" in target.pending:
        target.say("Notify", "no")  # it tells nobody that it is up
    if halt is None:
        target.say("StopSignal", _HALT)


def _has_systemd(given: Given, config: Config, tree: str) -> bool:
    """Whether the init of the root is systemd: as the root shows, or, where that is not to be seen, its templates."""
    if given.entries(tree) is not None:
        places = (f"{tree.rstrip('/')}/{folder}/systemd" for folder in ("usr/lib", "lib"))
        return any("systemd" in (given.entries(place) or ()) for place in places)
    return not any(name in path.rpartition("/")[2] for path in config.includes for name in _WITHOUT_SYSTEMD)


def _may_mount(config: Config) -> bool:
    """Whether it has the capability that a whole system needs, and others have not."""
    kept = [name for text in config.values("lxc.cap.keep") for name in text.lower().split()]
    dropped = [name for text in config.values("lxc.cap.drop") for name in text.lower().split()]
    return ("sys_admin" in kept or not kept) and "sys_admin" not in dropped


def _words(text: str) -> list[str]:
    """The words of a command as LXC takes it apart: quotes stand around a whole word, and a backslash is one.

    Raises:
        NotCarried: quotes do not end.
    """
    found = []
    rest = text.strip()
    while rest:
        quote = rest[0]
        if quote in "\"'":
            word, end, rest = rest[1:].partition(quote)
            if not end:
                raise NotCarried(f"'{printable(text)}' has an unbalanced {quote} quote", "close it")
        else:
            word, *more = rest.split(maxsplit=1)
            rest = more[0] if more else ""
        found.append(word)
        rest = rest.lstrip()
    return found or [_DEFAULT]


def signal(target: Target, _config: Config, text: str) -> None:
    """lxc.signal.halt."""
    name = text if text.isdecimal() or text.startswith("SIG") else f"SIG{text}"
    if not (target.draft.has("Container", "Boot") and name == "SIGRTMIN+3"):
        target.plain("StopSignal", name)


def stop_signal(target: Target, _config: Config, text: str) -> None:
    """lxc.signal.stop, for what has not ended by itself."""
    if text not in ("SIGKILL", "KILL", "9"):
        target.plain("FinalKillSignal", text if text.isdecimal() or text.startswith("SIG") else f"SIG{text}", "Service")


def user(target: Target, _config: Config, text: str) -> None:
    """lxc.init.uid."""
    if text != "0":
        target.plain("User", text)


def group(target: Target, _config: Config, text: str) -> None:
    """lxc.init.gid."""
    if text != "0":
        target.plain("Group", text)


def groups(target: Target, _config: Config, text: str) -> None:
    """lxc.init.groups, with commas between them."""
    target.plain("SupplementaryGroups", " ".join(text.replace(",", " ").split()))


def dropped(target: Target, _config: Config, text: str) -> None:
    """lxc.cap.drop: names with blanks between them."""
    target.say("Capability", " ".join(f"-{name.upper().removeprefix('CAP_')}" for name in text.split()))


def kept(target: Target, config: Config, text: str) -> None:
    """lxc.cap.keep: these alone, or `none`."""
    names = [name.upper().removeprefix("CAP_") for name in text.split()]
    if "NONE" in names:
        names = []
    is_first = config.values("lxc.cap.keep")[0] == text
    words = ["-ALL"] if is_first else []
    target.say("Capability", " ".join([*words, *(f"+{name}" for name in names)]))


def environment(target: Target, _config: Config, text: str) -> None:
    """lxc.environment: `NAME=VALUE`, or `NAME` of who starts it."""
    name, equals, _ = text.partition("=")
    if not equals:
        raise NotCarried(f"the variable '{name}' is that of who calls lxc-start", "write NAME=VALUE")
    target.words("Environment", text)


def arch(target: Target, _config: Config, text: str) -> None:
    """lxc.arch: programs of 32 bits see such a machine."""
    if text in ("x86", "i386", "i486", "i586", "i686", "linux32", "arm", "armv7l", "armhf", "armel", "ppc", "mips"):
        target.say("Personality", "x86" if text[0] in "xil" else text, "Service")
