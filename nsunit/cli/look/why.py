"""The verb `why`."""

from __future__ import annotations

from nsunit.cli.output import Style, format_size, print_json, print_table
from nsunit.deeds.look.why import explain
from nsunit.names import limited, printable
from nsunit.plan.hierarchy import KNOBS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.plan.hierarchy import Explanation

    Value = int | tuple[int, ...] | None

_COLUMNS = ("LIMIT", "ASKED", "EFFECTIVE", "TIGHTEST", "KERNEL")


def why(invocation: Invocation) -> int:
    """The verb `why`."""
    name, *key = invocation.operands
    found = explain(invocation.context(), limited(name), key[0] if key else None)
    if invocation.flag("json"):
        print_json(found)
        return 0
    style = Style.of(invocation)
    if key:
        for item in found:
            _print_steps(item, style)
    elif found:
        print_table(style, _COLUMNS, [_row(item) for item in found])
    if not found and not invocation.flag("quiet"):
        style.line(f"{printable(name)}: nothing has set {'a ' + key[0] if key else 'a limit'}")
    for item in found:
        for note in item.notes:
            style.line(f"{style.paint('note:', 'yellow')} {printable(note)}")
    return 0


def limits() -> tuple[str, ...]:
    """Return the limits that can be asked for, for completion."""
    return tuple(knob.key for knob in KNOBS)


def _row(item: Explanation) -> tuple[str, ...]:
    return (
        _title(item),
        format_value(item.asked, item.measure),
        format_value(item.effective, item.measure),
        item.tightest or "-",
        _kernel(item.kernel),
    )


def _title(item: Explanation) -> str:
    return f"{item.key} {item.device}".rstrip()


def _kernel(text: str | None) -> str:
    return "-" if text is None else f"{'; '.join(text.splitlines())}" or "empty"


def _print_steps(item: Explanation, style: Style) -> None:
    style.line(style.paint(_title(item), "bold"))
    rows: list[tuple[str, ...]] = [
        (step.unit, format_value(step.asked, item.measure), _kernel(step.text)) for step in item.steps
    ]
    print_table(style, ("UNIT", "ASKED", item.file), rows)
    style.line(f"effective: {format_value(item.effective, item.measure)}, by {printable(item.tightest or 'nobody')}")


def format_value(value: Value, measure: str) -> str:
    """A limit as a definition has it; `-` for none."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ",".join(str(number) for number in value)
    if measure == "bytes":
        return format_size(value)
    return f"{value / 10_000:g}%" if measure == "cpu" else str(value)
