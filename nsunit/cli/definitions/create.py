"""The verb `create`."""

from __future__ import annotations

import os

from nsunit.cli import say
from nsunit.cli.change.assignments import assignment
from nsunit.cli.definitions.draft import Draft
from nsunit.cli.output import print_json
from nsunit.core.context import Context
from nsunit.core.prepare import obtain, resolved
from nsunit.core.running import is_running
from nsunit.definition.load import load, load_properties, unit_text_value
from nsunit.definition.search import SUFFIX, SearchPath, find
from nsunit.definition.setting import lookup
from nsunit.definition.syntax import SECTIONS
from nsunit.dropins.definitions import CREATED
from nsunit.errors import COMMAND_LINE, DefinitionError, NotFoundError, NsunitError, UsageError
from nsunit.features.images.roots import make, templates
from nsunit.names import NETWORK_SUFFIX, check_name, is_group, is_network, is_pod, printable
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.definition.load import Given

_ROOTS = ("Rootfs", "Layer", "Image")
_PRESUMED = [("Container", "Rootfs", "/", COMMAND_LINE), ("Container", "Exec", "/", COMMAND_LINE)]


def create(invocation: Invocation) -> int:
    """The verb `create`."""
    context, name = invocation.context(), check_name(invocation.operands[0])
    if "@" in name or is_group(name) or is_pod(name) or is_network(name):
        hint = f"'nsunit edit --force {name}' makes a definition of it"
        if is_network(name):
            hint = f"'nsunit network create {name.removesuffix(NETWORK_SUFFIX)}'"
        elif "@" in name:
            hint = f"a template is a file that 'nsunit edit --force {name.partition('@')[0]}@' makes"
        raise UsageError(f"'{name}' is not the name of a container with a definition of its own", hint=hint)
    image, template = invocation.value("image"), invocation.value("template")
    words = invocation.operands[1:]
    options = tuple(word for word in words if word[:1].islower())
    keys = [(*assignment(word), COMMAND_LINE) for word in words if not word[:1].islower()]
    if image is not None and template is not None:
        raise UsageError("create: --image and --template exclude each other", hint="an image is a root itself")
    has_root = any(section in ("", "Container") and key in _ROOTS for section, key, *_ in keys)
    if image is None and template is None and not has_root:
        raise UsageError(
            "create: its root is not said",
            hint="--image=nginx, --template=busybox, or a key such as Layer=/var/lib/machines/debian",
        )
    with Lock(context.paths.locks, name):
        target = _target(context, name, replace=invocation.flag("force"))
        if template is None:
            if options:
                raise UsageError(
                    f"'{printable(options[0])}' is an option of a template, and there is no --template",
                    hint="keys begin with a capital letter: MemoryMax=1G",
                )
            of_image = [] if image is None else [("Container", "Image", image, "--image")]
            _write(context, name, target, [*of_image, *keys])
            root = None
        else:
            chosen = templates.find(template, options)
            load_properties(name, [*_PRESUMED, *keys], context.host)  # before the work is done
            root = make.root_of(context, name)
            make.make(
                *(context, name, chosen, invocation.flag("force")),
                lambda made: _write(context, name, target, _of_template(made, keys, template)),
            )
    if invocation.flag("json"):
        print_json({"name": name, "definition": target, "root": root})
    elif not invocation.flag("quiet"):
        is_job = any(section == "Timer" for section, *_ in keys)
        verb, what = ("enable --now", "its timer") if is_job else ("start", "it")
        say(f"wrote {target}; 'nsunit {'--user ' if context.user else ''}{verb} {name}' starts {what}")
    return 0


def _target(context: Context, name: str, *, replace: bool) -> str:
    """The file to be written."""
    if is_running(context, name):
        raise NsunitError(f"{name}: it is running", hint=f"stop it first with 'nsunit stop {name}'")
    try:
        found = find(name, context.search)
    except NotFoundError:
        found = None
    if found and not replace:
        raise NsunitError(f"{name}: there is a definition already: '{found.main}'", hint="--force writes another")
    return os.path.join(context.search.directories[0], name + SUFFIX)


def _of_template(made: make.Made, keys: Sequence[Given], template: str) -> list[Given]:
    lines = [(*assignment(line), f"the template '{template}'") for line in made.lines]
    return [("Container", "Rootfs", made.path, "--template"), *lines, *keys]


def _write(context: Context, name: str, target: str, assignments: Sequence[Given]) -> None:
    """Write what the *assignments* say, if it can be started.

    Raises:
        NsunitError: it cannot; nothing was written.
        DefinitionError: of what was said, since the file is not there.
    """
    text = _text(context, name, target, assignments)
    with Draft(name, target, text.encode(), beginning=CREATED) as draft:
        search = SearchPath((draft.directory, *context.search.directories))
        try:
            definition = load(name, search, context.host)
            obtain(context, definition)
            resolved(context, definition)
            draft.check(context)
        except DefinitionError as error:
            told = draft.of_target(error.problems).problems
            raise DefinitionError(
                [item.replace(path=COMMAND_LINE, line=0) if item.path == target else item for item in told]
            ) from None
        draft.install()


def _text(context: Context, name: str, target: str, assignments: Sequence[Given]) -> str:
    definition = load_properties(name, assignments, context.host)
    lines = [f"# {target}: see nsunit.container(5)"]
    for section in SECTIONS:
        texts = definition.texts_of(section)
        lines += ["", f"[{section}]"] if texts else []
        for key, text in texts:
            setting = lookup(section, key)
            assert setting is not None, key
            lines.append(f"{key}={unit_text_value(setting, text)}")
    return "\n".join(lines) + "\n"
