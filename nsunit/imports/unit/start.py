"""ExecStart= and its like: what runs."""

from __future__ import annotations

from nsunit.definition.words import ValueProblem, split
from nsunit.imports.model import NotCarried
from nsunit.imports.text import command, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target
    from nsunit.imports.unitfiles import Said, UnitFile

_PREFIXES = "@-:+!|"
_INSIDE = ("it would run on the host, and not in the container", "use Exec=/bin/sh -c 'BEFORE && exec PROGRAM'")
_TYPES = ("simple", "exec", "idle", "notify", "notify-reload")


def program(target: Target, unit: UnitFile) -> None:
    """Say what runs.

    Raises:
        NotCarried: nothing does, or it is not to stay.
    """
    items = [item for item in unit.section("Service") if item.key == "ExecStart"]
    if not items:
        raise NotCarried("it starts nothing", "add ExecStart=")
    target.origin = items[-1].origin
    text = items[-1].value
    prefix = text[: len(text) - len(text.lstrip(_PREFIXES))]
    try:
        words = split(text[len(prefix) :], c_escapes=True, controls=True)
    except ValueProblem as problem:
        raise NotCarried(problem.message, problem.hint or "mind the quotes") from None
    if "@" in prefix and len(words) > 1:
        target.remark(f"the program is called by its own name, and not '{words.pop(1)}'", "leave it out")
    if set(prefix) & set("+!"):
        target.remark("a container has no command with more rights than its others", "use Capability=")
    if "-" in prefix:
        target.remark("an exit status other than 0 is a failure", "use [Service] SuccessExitStatus=")
    if ":" not in prefix and any("$" in word.replace("$$", "") for word in words):
        target.remark("variables in a command are not replaced", "use Exec=/bin/sh -c 'exec PROGRAM \"$NAME\"'")
    words = [word.replace("$$", "$") for word in words] if ":" not in prefix else words
    target.say("Exec", command(words, specifiers=True))
    for item in items[:-1]:
        target.origin = item.origin
        target.remark("a container runs one program", "use Exec=/bin/sh -c 'FIRST && exec LAST'")


def kind(target: Target, unit: UnitFile, item: Said) -> None:
    """Type=."""
    if item.value in ("notify", "notify-reload"):
        target.say("Notify", "yes")
    if item.value == "notify-reload" and not unit.last("Service", "ExecReload"):
        target.say("ExecReload", "/bin/kill -HUP $MAINPID", "Service")
    if item.value == "oneshot":
        raise NotCarried("it is up when it has begun, and not when it has ended", "use 'nsunit run', or 'nsunit wait'")
    if item.value not in _TYPES:
        raise NotCarried(f"a container's program is no '{item.value}' service", "have it stay in the foreground")


def beside(_target: Target, _unit: UnitFile, _item: Said) -> None:
    """ExecStartPre= and its like run in the service's root there, and on the host here."""
    raise NotCarried(*_INSIDE)


def reload(target: Target, _unit: UnitFile, item: Said) -> None:
    """ExecReload=: a signal, or a command in the container."""
    words = item.value.split()
    if words[0].rpartition("/")[2] == "kill" and words[-1] == "$MAINPID":
        target.say("ExecReload", item.value, "Service")
        return
    name = target.draft.name
    own = ["/usr/bin/nsunit", *(["--user"] if target.user else []), "exec", name + ("%i" if name[-1] == "@" else "")]
    target.say("ExecReload", f"{command(own, specifiers=True)} -- {item.value.lstrip(_PREFIXES)}", "Service")


def stays(_target: Target, _unit: UnitFile, item: Said) -> None:
    """RemainAfterExit=."""
    if truth(item.value):
        raise NotCarried("a container ends with its program", "use Exec= with one that stays")
