"""The verb `doctor`."""

from __future__ import annotations

from nsunit.cli.output import Style, print_json
from nsunit.deeds.host.doctor import examine
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

_MARKS = {"ok": ("✓", "+", "green"), "warning": ("!", "!", "yellow"), "error": ("×", "x", "red")}


def doctor(invocation: Invocation) -> int:
    """The verb `doctor`."""
    findings = examine(invocation.context())
    if invocation.flag("json"):
        print_json(findings)
    else:
        style = Style(plain=invocation.flag("no-color"))
        width = max((len(finding.subject) for finding in findings), default=0)
        for finding in findings:
            if invocation.flag("quiet") and finding.state == "ok":
                continue
            mark, plain, colour = _MARKS[finding.state]
            sign = style.paint(mark if style.unicode else plain, colour)
            style.line(f"{sign} {printable(finding.subject):<{width}}  {printable(finding.text)}")
            if finding.hint:
                style.line(f"  {'':<{width}}  hint: {printable(finding.hint)}")
    return 1 if any(finding.state == "error" for finding in findings) else 0
