"""The verb `build`."""

from __future__ import annotations

from nsunit.cli.change.assignments import assignment
from nsunit.cli.image.bring import tell
from nsunit.errors import UsageError
from nsunit.features.builds import deeds
from nsunit.features.builds.units import Wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

_OF_CONTAINERFILES = ("file", "build-arg", "target", "secret", "platform", "pull", "no-cache")


def build_image(invocation: Invocation) -> int:
    """`nsunit build`."""
    return tell(invocation, deeds.build(invocation.context(), _wish(invocation)))


def build_tree(invocation: Invocation) -> int:
    """`nsunit build --mkosi`."""
    for name in _OF_CONTAINERFILES:
        if invocation.flag(name):
            raise UsageError(f"build: --mkosi and --{name} exclude each other", hint="say it in mkosi.conf")
    return tell(invocation, deeds.build_tree(invocation.context(), _wish(invocation)))


def _wish(invocation: Invocation) -> Wish:
    return Wish(
        invocation.operands[0] if invocation.operands else ".",
        invocation.values("tag"),
        invocation.value("file") or "",
        invocation.values("build-arg"),
        invocation.value("target") or "",
        invocation.values("secret"),
        invocation.value("platform") or "",
        invocation.value("pull") or "",
        invocation.flag("no-cache"),
        tuple(assignment(text) for text in invocation.values("limit")),
        quiet=invocation.flag("quiet"),
    )
