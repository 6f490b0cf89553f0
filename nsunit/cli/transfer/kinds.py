"""The verbs `import` and `export`: of an archive, or of what another tool has."""

from __future__ import annotations

import os

from nsunit.cli import say, warn
from nsunit.cli.verbs import load
from nsunit.errors import UsageError
from nsunit.imports import find, names, of_file
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome
    from nsunit.deeds.imports.bring import Brought
    from nsunit.imports.export import Exported
    from nsunit.imports.model import Draft

# Options that say how definitions of other tools come in.
_ENGINES = ("docker", "podman")
_OF_KINDS = ("to", "dry-run", "name", "from-container", "project", "profile")


def bring_in(invocation: Invocation) -> int | Sequence[Outcome]:
    """The verb `import`, told apart by its first operand: a kind of files, or an archive."""
    first, *rest = invocation.operands
    kind = find(first)
    if kind is not None:
        context = invocation.context()
        if kind.command and len(rest) == 1 and " " in rest[0]:
            rest = _words(rest[0])
        if kind.command and not rest and not invocation.flag("from-container"):
            raise UsageError(
                f"import {first}: a command is missing", hint=f"e.g. nsunit import {first} -- docker run nginx"
            )
        given = load("nsunit.deeds.imports.bring:given_of")(
            kind, tuple(rest), user=context.user, container=invocation.value("from-container") or ""
        )
        given = given.replace(
            name=invocation.value("name") or "",
            project=invocation.value("project") or "",
            profiles=invocation.values("profile"),
        )
        brought: Brought = load("nsunit.deeds.imports.bring:bring")(
            context,
            kind,
            given,
            target=invocation.value("to") or "",
            dry_run=invocation.flag("dry-run"),
            force=invocation.flag("force"),
        )
        return _tell(invocation, brought)
    kinds = ", ".join(names())
    if rest or first in _ENGINES:
        hint = f"there are {kinds}"
        if first in _ENGINES:
            hint = f"nsunit import run -- {first} run …, nsunit import run --from-container NAME"
        raise UsageError(f"'{printable(first)}' is not a kind of files that can be imported", hint=hint)
    if called := of_file(first):
        raise UsageError(
            f"'{printable(first)}' is no archive of 'nsunit export'", hint=f"nsunit import {called} {printable(first)}"
        )
    for option in _OF_KINDS:
        if invocation.value(option) is not None or invocation.flag(option):
            hint = f"name its kind: {kinds}"
            if option == "name":
                hint = "an archive has its name; 'nsunit clone' and 'nsunit rename' give another one"
            raise UsageError(f"--{option} is for definitions of another tool", hint=hint)
    if "/" not in first and first != "-" and not os.path.lexists(first):
        hint = f"a file that 'nsunit export' has written, - for standard input, or a kind: {kinds}"
        raise UsageError(f"'{printable(first)}' does not exist", hint=hint)
    archive: Sequence[Outcome] = load("nsunit.cli.transfer.archive:restore")(invocation)
    return archive


def _words(text: str) -> list[str]:
    """The words of a command line that was given as one, by the shell's rules."""
    try:
        return list(load("shlex:split")(text.replace("\\\n", " ")))
    except ValueError as error:  # a quote that does not end
        raise UsageError(f"import: the command line cannot be read: {error}", hint="nsunit import run -- …") from None


def take_out(invocation: Invocation) -> int:
    """The verb `export`: an archive, or with --as files of another tool."""
    kind = invocation.value("as")
    name, *rest = invocation.operands
    if kind is None:
        if invocation.flag("force"):
            raise UsageError("--force is for --as", hint="an archive replaces the file that is named")
        if not rest:
            raise UsageError("export: FILE is missing", hint=f"nsunit export {name} FILE, or --as quadlet")
        found: int = load("nsunit.cli.transfer.archive:export")(invocation)
        return found
    exported: Exported = load("nsunit.deeds.imports.export:exported")(invocation.context(), name, kind)
    if rest:
        paths = load("nsunit.deeds.imports.export:write")(exported, rest[0], force=invocation.flag("force"))
        for path in paths:
            say(path)
    else:
        for place, (file, text) in enumerate(exported.files):
            if place:
                say("")
            if len(exported.files) > 1:
                say(f"# {file}")
            for line in text.splitlines():
                say(line)
    for remark in exported.remarks:
        warn(str(remark))
    return 0


def _tell(invocation: Invocation, brought: Brought) -> int:
    if invocation.flag("json"):
        load("nsunit.cli.output:print_json")(
            {
                "definitions": [
                    {"name": draft.name, "path": path or None, "text": draft.text()}
                    for draft, path in _with_paths(brought)
                ],
                "remarks": [
                    {
                        "path": remark.origin.path,
                        "line": remark.origin.line,
                        "key": remark.origin.key,
                        "reason": remark.reason,
                        "instead": remark.instead,
                    }
                    for remark in brought.remarks
                ],
            }
        )
        return 0
    if invocation.flag("dry-run"):
        for draft in brought.drafts:
            _print(draft)
    for remark in brought.remarks:
        warn(str(remark))
    if not invocation.flag("dry-run") and not invocation.flag("quiet"):
        for path in brought.paths:
            say(path)
    return 0


def _print(draft: Draft) -> None:
    """What would be written, under a comment with the name of its file."""
    say(f"# {draft.name}.nsunit")
    for line in draft.text().splitlines():
        say(line)
    say("")


def _with_paths(brought: Brought) -> list[tuple[Draft, str]]:
    return list(zip(brought.drafts, brought.paths or [""] * len(brought.drafts), strict=True))
