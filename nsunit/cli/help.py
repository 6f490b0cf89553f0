"""`--help`, and the man page's list of verbs, from the table of verbs.

`python3 -m nsunit.cli.help` writes the verbs and options as Markdown, for packaging/man.
"""

from __future__ import annotations

import sys
import textwrap

from nsunit.cli.output import Style
from nsunit.cli.verbs import (
    GLOBAL_OPTIONS,
    GROUPS,
    PATTERNS,
    Invocation,
    Option,
    Verb,
    all_verbs,
    family,
    find_verb,
)
from nsunit.errors import UsageError
from nsunit.names import printable

_WIDTH = 100  # more is not read easily
_LEAST = 40


def show(invocation: Invocation) -> int:
    """The verb `help`."""
    name = " ".join(invocation.operands)
    if family(name):
        return print_family_help(name, plain=invocation.flag("no-color"))
    verb = find_verb(name) if name else None
    if name and verb is None:
        raise UsageError(f"'{printable(name)}' is not a verb of nsunit", hint="see 'nsunit --help'")
    return print_help(verb, plain=invocation.flag("no-color"))


def print_help(verb: Verb | None, plain: bool = False) -> int:
    """Print the help of *verb*, or the list of all verbs."""
    style = Style(plain=plain)
    for line in verb_help(verb, style) if verb else global_help(style):
        style.line(line)
    return 0


def print_family_help(name: str, plain: bool = False) -> int:
    """Print the list of the verbs whose first word is *name*."""
    style = Style(plain=plain)
    rows = [(f"{verb.names[0]} {verb.operands}".rstrip(), verb.summary) for verb in family(name)]
    hint = f"'nsunit {name} VERB --help' says more about each."
    for line in (f"nsunit {name} VERB [OPTIONS] …", "", *_two_columns(rows, 34, style), "", hint):
        style.line(line)
    return 0


def global_help(style: Style) -> list[str]:
    """Lines of `nsunit --help`."""
    lines = ["nsunit [OPTIONS] VERB …", "", "Containers as plain systemd units."]
    for group, title in GROUPS.items():
        lines += ["", style.paint(title + ":", "bold")]
        rows = [
            (f"{verb.names[0]} {verb.operands}".rstrip(), verb.summary) for verb in all_verbs() if verb.group == group
        ]
        lines += _two_columns(rows, 22, style)
    lines += ["", style.paint("Options, before or after the verb:", "bold")]
    lines += _two_columns([(_spelled(option), option.summary) for option in GLOBAL_OPTIONS], 22, style)
    more = "'nsunit VERB --help' says more about a verb; see also nsunit(1) and nsunit.container(5)."
    return [*lines, "", *textwrap.wrap(more, _width(style))]


def verb_help(verb: Verb, style: Style) -> list[str]:
    """Lines of `nsunit VERB --help`."""
    usage = f"nsunit {verb.names[0]} [OPTIONS] {verb.operands}".rstrip()
    lines = [*textwrap.wrap(usage, _width(style), subsequent_indent="    "), ""]
    lines += textwrap.wrap(verb.summary + ".", _width(style))
    for paragraph in paragraphs(verb):
        lines += ["", *textwrap.wrap(paragraph, _width(style))]
    if len(verb.names) > 1:
        lines += ["", "Also called: " + ", ".join(verb.names[1:])]
    if verb.kinds:
        lines += ["", style.paint("Kinds:", "bold"), *_two_columns(list(verb.kinds), 12, style)]
    if verb.options:
        lines += ["", style.paint("Options:", "bold")]
        lines += _two_columns([(_spelled(option), option.summary) for option in verb.options], 30, style)
    lines += ["", style.paint("Options of all verbs:", "bold")]
    return lines + _two_columns([(_spelled(option), option.summary) for option in GLOBAL_OPTIONS], 30, style)


def paragraphs(verb: Verb) -> tuple[str, ...]:
    """What is said of *verb* besides its summary."""
    if not verb.patterns:
        return verb.details
    return *verb.details, f"A NAME may be a pattern such as 'web@*', for {PATTERNS[verb.patterns]}."


def _spelled(option: Option) -> str:
    short = f"-{option.short}, " if option.short else "    "
    return f"{short}--{option.long}{option.equals_value}"


def _width(style: Style) -> int:
    """The columns to be filled: those of the terminal, if it has fewer than are filled elsewhere."""
    return max(_LEAST, min(_WIDTH, style.width())) if style.terminal else _WIDTH


def _two_columns(rows: list[tuple[str, str]], width: int, style: Style) -> list[str]:
    lines = []
    for left, right in rows:
        wrapped = textwrap.wrap(right, max(20, _width(style) - width - 4))
        if len(left) > width:
            lines += textwrap.wrap(left, _width(style), initial_indent="  ", subsequent_indent="      ")
            left = ""
        lines.append(f"  {left:<{width}}  {wrapped[0]}")
        lines += [" " * (width + 4) + line for line in wrapped[1:]]
    return lines


def markdown() -> str:
    """Return the sections VERBS and OPTIONS of nsunit(1)."""
    parts = ["# VERBS", ""]
    for group, title in GROUPS.items():
        parts += [f"## {title}", ""]
        for verb in all_verbs():
            if verb.group == group:
                parts += _markdown_verb(verb)
    parts += ["# OPTIONS", "", "These may stand before or after the verb.", ""]
    for option in GLOBAL_OPTIONS:
        parts += _markdown_option(option)
    return "\n".join(parts)


def _markdown_verb(verb: Verb) -> list[str]:
    names = ", ".join(f"**{name}**" for name in verb.names)
    lines = [f"{names} {_escaped(verb.operands)}".rstrip(), f":   {_escaped(verb.summary)}."]
    for paragraph in paragraphs(verb):
        lines += ["", f"    {_escaped(paragraph)}"]
    for kind, meaning in verb.kinds:
        lines += ["", f"    **{kind}**", f"    :   {_escaped(meaning)}."]
    for option in verb.options:
        lines += ["", *("    " + line if line else "" for line in _markdown_option(option)[:-1])]
    return [*lines, ""]


def _markdown_option(option: Option) -> list[str]:
    short = f"**-{option.short}**, " if option.short else ""
    value = f"=*{_escaped(option.value)}*" if option.value else ""
    if option.implied:
        value = f"\\[{value}\\]"
    return [f"{short}**\\--{option.long}**{value}", f":   {_escaped(option.summary)}.", ""]


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in "\\*_[]<>$`" else c for c in text)


if __name__ == "__main__":
    sys.stdout.write(markdown())
