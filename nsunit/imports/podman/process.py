"""The program, its user and rights, its health, its output."""

from __future__ import annotations

import json

from nsunit.imports.model import NotCarried
from nsunit.imports.text import command, literal, seconds, truth
from nsunit.names import is_valid_name, service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

_INITS = ("/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd")
_LABELS = ("nsunit sets no label", "leave it out")
_FILTER = ("a filter of system calls is always there", "leave it out; Capability= opens more calls")


def environment(target: Target, text: str) -> None:
    """`NAME=VALUE`, or `NAME` of who calls."""
    name, equals, value = text.partition("=")
    if not equals:
        if name.endswith("*") or name not in target.environ:
            raise NotCarried(f"the variable '{name}' is that of who calls, and not set here", "write NAME=VALUE")
        value = target.environ[name]
        target.say("Environment", command([f"{name}={value}"]))
        return
    target.words("Environment", f"{name}={value}")


def environment_file(target: Target, text: str) -> None:
    """The path of a file of `NAME=VALUE` lines, without quotes."""
    path = target.path(text)
    content = target.read(path) if not path.startswith("%") else None
    for number, line in enumerate((content or "").splitlines(), 1):
        if not line.strip() or line.lstrip()[:1] == "#":
            continue
        name, equals, value = line.partition("=")
        if not equals:
            target.remark(f"line {number} of '{path}', '{name}', is a variable of who calls", "write NAME=VALUE")
        elif any(char in value for char in "\"'\\") or value != value.strip():
            target.remark(
                f"line {number} of '{path}' has quotes, a backslash or blanks at an end, which are part of the value "
                "there and are not here",
                "quote the value as systemd.exec(5) has it",
            )
        else:
            target.hold(f"variable {name.strip()}", path)
    target.plain("EnvironmentFile", path)


def environment_twice(target: Target) -> None:
    """Tell of variables of files that are said by themselves as well: those of files count here."""
    for line in [line for line in target.draft.lines if line.key == "Environment"]:
        name = line.value.strip('"').partition("=")[0]
        path, _ = target.pending.get(f"variable {name}", ("", None))
        if path:
            target.origin = line.origin
            target.remark(f"'{name}' in '{path}' counts before this one here", "take it out of the file")


def user(target: Target, text: str) -> None:
    """`USER[:GROUP]`."""
    name, _, group = text.partition(":")
    if name:
        target.plain("User", name)
    if group:
        target.plain("Group", group)


def group_add(target: Target, text: str) -> None:
    """A group by name or number."""
    if text == "keep-groups":
        raise NotCarried("the groups of who calls are not those of a service", "use SupplementaryGroups=")
    target.plain("SupplementaryGroups", text)


def user_namespace(target: Target, text: str) -> None:
    """`auto`, `host`, `container:NAME`, `ns:PATH`, `keep-id`, `nomap`."""
    mode, _, options = text.partition(":")
    if mode in ("auto", "private", "host", "container", "ns"):
        target.hold("userns", mode)
    if mode in ("auto", "private", ""):
        if options:
            target.remark(f"'{options}' chooses ids", "use PrivateUsers=START:COUNT, or UIDMap= and GIDMap=")
    elif mode == "host":
        target.say("PrivateUsers", "no")
    elif mode in ("container", "ns"):
        target.plain("UserNamespace", f"{'path' if mode == 'ns' else mode}:{options}")
    else:
        raise NotCarried(
            f"'{text}' has the ids of who calls",
            "use 'nsunit --user', where root inside is that user, or UIDMap=",
        )


def id_map(target: Target, key: str, text: str) -> None:
    """`INSIDE:OUTSIDE:COUNT`."""
    parts = text.split(":")
    if len(parts) == 2:
        parts.append("1")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise NotCarried(f"'{text}' is written as only podman understands it", f"use {key}=INSIDE OUTSIDE COUNT")
    if target.user:
        raise NotCarried("the ids outside are counted in a namespace of podman's", f"use {key}= with ids of the host")
    target.hold("userns", "map")
    target.say(key, " ".join(parts))


def security(target: Target, text: str) -> None:
    """`no-new-privileges`, `label=…`, `seccomp=…`, `mask=…`, `unmask=…`, `apparmor=…`, `proc-opts=…`."""
    name, _, value = text.replace(":", "=", 1).partition("=") if "=" not in text else text.partition("=")
    if name == "no-new-privileges":
        if value and not truth(value):
            target.say("NoNewPrivileges", "no")
    elif name in ("label", "apparmor"):
        raise NotCarried(*_LABELS)
    elif name == "seccomp":
        raise NotCarried(*_FILTER)
    elif name == "mask":
        raise NotCarried(f"'{value}' cannot be hidden as such", "use BindReadOnly=/dev/null:PATH, or Tmpfs=PATH")
    elif name in ("unmask", "systempaths"):
        raise NotCarried("what is hidden in /proc and /sys is so always", "Nesting=yes shows a whole /proc elsewhere")
    elif name == "proc-opts":
        raise NotCarried("/proc is mounted as it is", "leave it out")
    else:
        raise NotCarried(f"nsunit has nothing like '{name}'", "leave it out")


def privileged(target: Target, text: str) -> None:
    """All capabilities; and with podman all devices, and nothing hidden."""
    if not truth(text):
        return
    target.say("Capability", "ALL")
    target.remark(
        "all capabilities are given, over its own namespaces; devices, and what is hidden in /proc and /sys, are not",
        "use Device= for what it needs, PrivateUsers=no for root to be the host's",
    )


def capabilities(target: Target) -> None:
    """`cap-drop` and then `cap-add`; what is dropped is none of all that are added, as podman and docker read them."""
    added, dropped = (target.pending.get(name, ("", None))[0].upper().split() for name in ("cap-add", "cap-drop"))
    signs = [("cap-drop", "-"), ("cap-add", "+")]
    if "ALL" in added and "ALL" not in dropped:
        signs.reverse()
    for name, sign in signs:
        text = target.held(name)
        if text:
            words = [word.upper().removeprefix("CAP_") for word in text.split()]
            target.say("Capability", " ".join(sign + word for word in dict.fromkeys(words)))


def health_command(target: Target, text: str) -> None:
    """A command for the shell, a list in JSON, or `none`; in front of a text podman knows the words of an image."""
    if text == "none":
        target.say("Health", "no")
        return
    words = json_list(text)
    if words is None:
        kind, _, rest = text.partition(" ")
        words = {"CMD": ["CMD", *rest.split()], "CMD-SHELL": ["CMD-SHELL", rest]}.get(kind, ["CMD-SHELL", text])
    health_words(target, words)


def health_words(target: Target, words: list[str]) -> None:
    """`CMD` and words, `CMD-SHELL` and one, `NONE`, or words."""
    kind = words[0] if words else "NONE"
    if kind == "NONE":
        target.say("Health", "no")
        return
    if kind == "CMD-SHELL":
        words = ["/bin/sh", "-c", " ".join(words[1:])]
    elif kind == "CMD":
        words = words[1:]
    target.say("Health", command(words, specifiers=target.specifiers))


def health_time(target: Target, key: str, default: str, text: str) -> None:
    """A time, or `disable` for none."""
    if text == "disable":
        raise NotCarried("a check without an interval is never made", "use Health=no")
    value = seconds(text)
    if value not in (default, "0"):
        target.say(key, value)


def health_on_failure(target: Target, text: str) -> None:
    """`none`, `kill`, `restart`, `stop`."""
    if text != "none":
        target.plain("HealthOnFailure", text)


def health_retries(target: Target, text: str) -> None:
    """How many failures in a row."""
    if text not in ("3", "0"):
        target.plain("HealthRetries", text)


def json_list(text: str) -> list[str] | None:
    """The words of a list in JSON; None if it is none."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return [str(item) for item in found] if isinstance(found, list) else None


def program(target: Target, words: list[str]) -> None:
    """What follows the image, with `entrypoint`: Exec= and Entrypoint=."""
    said = "entrypoint" in target.pending
    text = target.held("entrypoint") if said else ""
    first = json_list(text)
    entry = first if first is not None else ([text] if text else [])
    is_image = target.draft.has("Container", "Image")
    if said and not entry and words:  # none in place of the image's
        entry, words = words[:1], words[1:]
    if said and not is_image:
        entry, words = [], [*entry, *words]
    if entry:
        target.say("Entrypoint", command(entry, specifiers=target.specifiers))
    if words:
        target.held("words")
        target.say("Exec", command(words, specifiers=target.specifiers))
    mode = target.held("systemd") or "true"
    if mode == "always" or (mode != "false" and words and not entry and words[0] in _INITS):
        target.say("Boot", "yes")


def log_driver(target: Target, text: str) -> None:
    """Where the output goes."""
    if text == "none":
        target.say("StandardOutput", "null", "Service")
        target.say("StandardError", "null", "Service")
    elif text not in ("journald", "passthrough"):
        raise NotCarried(f"'{text}' is not where output goes", "the journal has it: 'nsunit logs'")


def log_option(target: Target, text: str) -> None:
    """An option of the log."""
    name, _, value = text.partition("=")
    if name != "tag" or "{{" in value:
        raise NotCarried(
            "the journal has the output, and options of its own", "see journald.conf(5), [Service] LogNamespace="
        )
    target.plain("SyslogIdentifier", value, "Service")


def restart(target: Target, text: str) -> None:
    """`no`, `always`, `unless-stopped`, `on-failure[:TIMES]`."""
    policy, _, times = text.partition(":")
    if policy in ("no", ""):
        return
    if policy not in ("always", "unless-stopped", "on-failure"):
        raise NotCarried(f"'{text}' is no way to restart", "use [Service] Restart=")
    target.say("Restart", "on-failure" if policy == "on-failure" else "always", "Service")
    if times.isdecimal():
        target.say("StartLimitIntervalSec", "infinity", "Unit")
        target.say("StartLimitBurst", str(int(times) + 1), "Unit")
    if policy != "on-failure":
        target.remark("at boot it is started where it is enabled", f"nsunit enable {target.draft.name}")


def label(target: Target, text: str) -> None:
    """`NAME=VALUE`; that of podman's auto-update is a key."""
    name, _, value = text.partition("=")
    if name == "io.containers.autoupdate":
        auto_update(target, value)
    else:
        target.words("X-Label", text)


def auto_update(target: Target, text: str) -> None:
    """`registry` or `local`."""
    if text == "image":
        text = "registry"
    if text not in ("", "disabled"):
        target.plain("AutoUpdate", text)


def time_zone(target: Target, text: str) -> None:
    """`local`, or the name of a zone."""
    zone = "/etc/localtime" if text == "local" else f"/usr/share/zoneinfo/{text}:/etc/localtime"
    target.words("BindReadOnly", zone)


def stop_timeout(target: Target, text: str) -> None:
    """Seconds; -1 for ever."""
    if text == "-1":
        target.say("TimeoutStopSec", "infinity", "Service")
    elif seconds(text) != "10s":
        target.say("TimeoutStopSec", seconds(text), "Service")


def read_only(target: Target) -> None:
    """`read-only` with `read-only-tmpfs`, which is the default."""
    if not truth(target.held("read-only") or "false"):
        return
    target.say("ReadOnly", "yes")
    if truth(target.held("read-only-tmpfs") or "true"):
        if not any(value.startswith("/var/tmp") for value in target.draft.values(target.section, "Tmpfs")):
            target.origin = target.pending["read-only"][1]
            target.say("Tmpfs", "/var/tmp")
    else:
        target.remark("/run and /tmp can be written to with ReadOnly=yes", "use Tmpfs=/run:size=4K and the like")


def notify(target: Target, text: str) -> None:
    """`container`, `conmon`, `healthy`, `ignore`."""
    if text == "container":
        target.say("Notify", "yes")
    elif text == "healthy":
        target.say("Notify", "healthy")


def requires(target: Target, text: str) -> None:
    """Names of containers."""
    for name in text.split(","):
        known = target.names.containers.get(name, name)
        if not is_valid_name(known):
            raise NotCarried(f"'{name}' is not the name of a container", "use [Unit] Requires= and After=")
        for key in ("Requires", "After"):
            target.say(key, literal(service_name(known)), "Unit")
