"""The verb `list` with --tree."""

from __future__ import annotations

from nsunit.cli.look.containers import wanted_states
from nsunit.cli.output import Style, format_duration, format_size, print_json, print_table
from nsunit.deeds.look.states import list_containers
from nsunit.deeds.look.tree import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.look.tree import Node


def list_tree(invocation: Invocation) -> int:
    """The verb `list` with --tree."""
    context, everything = invocation.context(), invocation.flag("all")
    states = wanted_states(invocation, list_containers(context, everything=everything))
    root = tree(context, states, everything=everything and not invocation.operands)
    if invocation.flag("json"):
        print_json(root)
    else:
        columns = ("NAME", "STATE", "CPU", "OF", "MEMORY", "OF", "TASKS", "OF")
        print_table(Style.of(invocation), columns, list(tree_rows(root)))
    return 0


def tree_rows(node: Node, lead: str = "", tail: str = "") -> Iterator[tuple[str, ...]]:
    """The lines of `list --tree` for *node* and what is in it, drawn as systemctl list-dependencies does."""
    yield (
        lead + node.name,
        node.active_state,
        "-" if node.cpu_usec is None else format_duration(node.cpu_usec / 1_000_000),
        "-" if node.cpu_quota is None else f"{node.cpu_quota / 10_000:g}%",
        format_size(node.memory),
        format_size(node.memory_limit),
        "-" if node.tasks is None else str(node.tasks),
        "-" if node.tasks_limit is None else str(node.tasks_limit),
    )
    for child in node.children:
        last = child is node.children[-1]
        yield from tree_rows(child, tail + ("└─" if last else "├─"), tail + ("  " if last else "│ "))
