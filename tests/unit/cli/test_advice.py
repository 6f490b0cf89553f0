"""What messages, hints and help say to type: verbs and options that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nsunit
from nsunit.cli.verbs import GLOBAL_OPTIONS, all_verbs, families

ROOT = Path(nsunit.__file__).parent
VERBS = {name: verb for verb in all_verbs() for name in verb.names}
SHAPES = {"{}", "VERB"}  # of texts about any verb
UNKNOWN = "\0"  # what a text has filled in


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each literal that names a command; what is filled in is not known."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)) if "'nsunit " in source else ():
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else UNKNOWN for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def mistake(command: str) -> str:
    """What of *command*, the words behind `nsunit`, there is not; empty if there is all."""
    words = command.split()
    while words and words[0].startswith("-"):
        words.pop(0)
    if not words or UNKNOWN in words[0] or words[0] in SHAPES:
        return ""
    name = words.pop(0)
    if name in families():
        if not words or UNKNOWN in words[0]:
            return ""
        name += f" {words.pop(0)}"
    verb = VERBS.get(name)
    if verb is None:
        return name
    options = [*GLOBAL_OPTIONS, *verb.options, *verb.understood]
    known = {f"--{option.long}" for option in options} | {f"-{option.short}" for option in options}
    for word in words if verb.command_at is None else ():
        said = re.split(r"[=\[]", word)[0] if word.startswith("--") else word[:2]
        if word.startswith("-") and word not in ("-", "--") and UNKNOWN not in said and said not in known:
            return word
    return ""


def test_what_to_type_is_there():
    found = {
        f"{path.relative_to(ROOT)}:{line}: {match[0]}"
        for path in ROOT.rglob("*.py")
        for line, text in texts(path)
        for match in re.finditer(r"'nsunit ([^'\n]+)'", text)
        if mistake(match[1])
    }
    assert found == set()


def test_what_is_not_there_is_found():
    assert mistake("freeze NAME") == "freeze"
    assert mistake("stop --nicely NAME") == "--nicely"
    assert mistake("image pull -x NAME") == "-x"
    assert mistake("stop --now NAME") == mistake("--user start x\0") == ""
