"""The verb `run`."""

from __future__ import annotations

import os
import sys

from nsunit.cli.session.borrowed import check_terminal, is_port, published, said
from nsunit.deeds.session.run import run as run_container
from nsunit.definition.setting import lookup
from nsunit.errors import UsageError
from nsunit.names import check_name, new_run_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation

# Where a key is looked for that is given without its section.  A limit that a slice and a service can both have goes to
# the slice: there it holds for exec sessions as well.
_ROOTS = frozenset(("Rootfs", "Layer", "Image", "MountNamespace", "Pod"))  # by these it has one, or another's
_OF_ENABLED = frozenset(("Timer", "Install"))  # what they say is for unit files
_SECTIONS = ("Container", "Slice", "Service", "Unit")


def run(invocation: Invocation) -> int:
    """The verb `run`."""
    if not invocation.flag("detach"):
        check_terminal(invocation)
    given = invocation.value("name")
    name = new_run_name() if given is None else check_name(given)
    keys = [*(_property(text) for text in invocation.values("property")), *said(invocation)]
    all_known = all(lookup(section, key) for section, key, _value in keys)  # else the loader says what is wrong
    for section, key, _value in keys:
        if section in _OF_ENABLED:
            raise UsageError(
                f"run: [{printable(section)}] {printable(key)}= counts for what is enabled",
                hint="write a definition, then 'nsunit enable'; or systemd-run --on-calendar=daily nsunit run …",
            )
    if all_known and _ROOTS.isdisjoint(key for _section, key, _value in keys):
        raise _without_root(invocation.operands)
    status = run_container(
        invocation.context(),
        keys,
        invocation.operands,
        name=name,
        detach=invocation.flag("detach"),
        tty=invocation.flag("tty"),
        interactive=invocation.flag("interactive"),
        keep=invocation.flag("keep"),
    )
    if invocation.flag("detach") and status == 0 and not invocation.flag("quiet"):
        sys.stdout.write(name + "\n")
    return status


def _without_root(operands: Sequence[str]) -> UsageError:
    """The answer to a command without a root: who comes from podman names that first."""
    first, *command = operands or ("/bin/sh",)
    machine = first if first.startswith("/") else f"/var/lib/machines/{first}"
    key = f"Layer={machine}" if os.path.isdir(machine) else f"Image={first}"
    is_program = first.startswith("/") and not os.path.isdir(first)
    words = [first, *command] if is_program else command or ["sh"]
    example = "Layer=/var/lib/machines/debian" if is_program else key
    return UsageError(
        "run: [Container] needs Rootfs=, Layer= or Image=",
        hint=printable(f"its root is named by a key: nsunit run -p {example} {' '.join(words)}"),
    )


def _property(text: str) -> tuple[str, str, str]:
    """Split `[SECTION.]KEY=VALUE` into its three parts; the section is looked up if it is not given."""
    if published(text):
        return "Container", "PublishPort", text
    left, equals, value = text.partition("=")
    section, dot, key = left.partition(".")
    if is_port(text):
        hint = f"-p {text.partition('/')[0]}:{text} publishes it by the same number, on all addresses of the host"
        raise UsageError(f"'{text}' does not say which port of the host", hint=hint)
    if not equals or not (key if dot else left):
        raise UsageError(
            f"'{printable(text)}' is not a key with its value", hint="--property=Rootfs=/var/lib/machines/debian"
        )
    if dot:
        return section, key, value
    known = next((section for section in _SECTIONS if lookup(section, left) is not None), "Container")
    return known, left, value
