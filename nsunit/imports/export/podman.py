"""A definition as a .container file of Quadlet, or as a command line of podman."""

from __future__ import annotations

from nsunit.imports.export.options import Options
from nsunit.imports.quadlet.container import EACH, ONE, WORDS
from nsunit.imports.text import word
from nsunit.names import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.export.source import Source

# Quadlet refuses a file with a key that it does not know: those that podman 5.4 has not are PodmanArgs=.
_NEWER = frozenset(("Memory", "HttpProxy", "AppArmor", "Retry", "RetryDelay"))
_KEYS = {option: key for table in (ONE, EACH, WORDS) for key, option in table.items() if key not in _NEWER}
_OWN = {"image": "Image", "rootfs": "Rootfs", "user": "User", "group": "Group"}
_OF_SERVICES = ("Unit", "Service", "Install")


def quadlet(source: Source) -> list[tuple[str, str]]:
    """The text of NAME.container: what Quadlet has a key for, and PodmanArgs= for other options."""
    options = Options(source, keep_service=True)
    lines = ["[Container]"]
    if source.has("Container", "Group") and not source.has("Container", "User"):
        lines.append("User=0")  # Quadlet has no group without
    for name, value in ((item.name, item.value) for item in options.found):
        if name in _OWN:
            lines.append(f"{_OWN[name]}={value}")
        elif name == "pod":
            lines.append(f"Pod={value}.pod")
        elif name == "security-opt" and value.startswith("no-new-privileges"):
            lines.append("NoNewPrivileges=" + ("false" if value.endswith("false") else "true"))
        elif name == "sdnotify":
            lines.append("Notify=" + ("healthy" if value == "healthy" else "true"))
        elif name in WORDS.values():
            lines.append(f"{_KEYS[name]}={word(value, specifiers=True)}")
        elif name in _KEYS and value.isprintable():  # such a key's value is its line, without quotes
            lines.append(f"{_KEYS[name]}={value}")
        elif name != "rm":
            lines.append(f"PodmanArgs={word(f'--{name}={value}', specifiers=True)}")
    if options.command:
        lines.append("Exec=" + " ".join(word(item, specifiers=True) for item in options.command))
    lines.append(f"ContainerName={source.name.removesuffix('@')}" + ("-%i" if source.name.endswith("@") else ""))
    lines = of_command_line(lines)
    for section in _OF_SERVICES:
        found = [f"{line.key}={renamed(line.value)}" for line in options.of_services if line.section == section]
        lines += ["", f"[{section}]", *found] if found else []
    return [(f"{source.name}.container", "\n".join(lines) + "\n")]


def of_command_line(lines: list[str]) -> list[str]:
    """*lines* of Quadlet's, which it puts on a command line of systemd's: there `$` begins a variable."""
    return [line.replace("$", "$$") for line in lines]


def renamed(text: str) -> str:
    """Units of nsunit's by the names that Quadlet gives those of its containers."""
    found = []
    for item in text.split(" "):
        name = item.removeprefix("nsunit-").removesuffix(".service").replace("\\x2d", "-")
        is_own = item.startswith("nsunit-") and item.endswith(".service") and service_name(name) == item
        found.append(f"{name}.service" if is_own else item)
    return " ".join(found)


def run(source: Source) -> list[tuple[str, str]]:
    """A command line of podman, to be typed into a shell."""
    options = Options(source)
    found = ["podman", "run", "-d", f"--name={source.name}"]
    operand = ""
    for name, value in ((item.name, item.value) for item in options.each_plain()):
        if name in ("image", "rootfs"):
            operand = value
            found += ["--rootfs"] if name == "rootfs" else []
        elif name == "user" and (group := source.last("Container", "Group")):
            found.append(f"--user={value}:{group}")
        elif name == "group":
            found += [] if source.has("Container", "User") else [f"--user=0:{value}"]
        else:
            found.append(f"--{name}={value}")
    text = " ".join(_shell(item) for item in (*found, operand, *options.plain_command()))
    return [(f"{source.name}.sh", f"{text}\n")]


def _shell(text: str) -> str:
    """*text* as one word of a shell."""
    if text and all(char.isalnum() and char.isascii() or char in "-_=./:,@%+" for char in text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"
