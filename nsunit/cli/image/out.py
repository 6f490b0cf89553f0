"""commit, image export and image push."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.image.bring import tell
from nsunit.cli.output import plural, print_json
from nsunit.features.images.out.commit import Wish, commit
from nsunit.features.images.out.send import Sent, export, push
from nsunit.features.images.out.targets import TRANSPORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def commit_container(invocation: Invocation) -> int:
    """The verb `commit`."""
    name, reference = invocation.operands
    wish = Wish(
        invocation.value("message") or "",
        invocation.value("author") or "",
        invocation.values("change"),
        not invocation.flag("no-pause"),
    )
    return tell(invocation, commit(invocation.context(), name, reference, wish))


def export_image(invocation: Invocation) -> int:
    """`nsunit image export`."""
    text, where = invocation.operands
    sent = export(invocation.context(), text, where, invocation.value("compression") or "")
    return (
        _tell(invocation, sent) if sent.to.partition(":")[2] != "-" else 0
    )  # else the image itself is what was printed


def transports() -> tuple[str, ...]:
    """What shells complete the second operand of `nsunit image export` with."""
    return "-", *(f"{name}:" for name in TRANSPORTS)


def push_image(invocation: Invocation) -> int:
    """`nsunit image push`."""
    text, where = (*invocation.operands, "")[:2]
    return _tell(invocation, push(invocation.context(), text, where, invocation.value("compression") or ""))


def _tell(invocation: Invocation, sent: Sent) -> int:
    if invocation.flag("json"):
        print_json(sent)
    elif not invocation.flag("quiet"):
        say(f"{sent.id}  {sent.to}")
        count = plural(sent.layers, "layer")
        say(
            count if sent.same == sent.layers else f"{count}, {sent.same or 'none'} of them with the digest it had here"
        )
    return 0
