"""render, verify, cat, edit."""

from __future__ import annotations

import os
import sys

from nsunit.cli.options import warn
from nsunit.cli.output import Style, plural, print_json
from nsunit.errors import DefinitionError, NotFoundError, NsunitError, UsageError
from nsunit.names import (
    GROUP_SUFFIX,
    NETWORK_SUFFIX,
    POD_SUFFIX,
    check_any_name,
    is_group,
    is_network,
    is_pod,
    printable,
    split_instance,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.options import Invocation
    from nsunit.definition.search import Found
    from nsunit.manager.context import Context

_EDITORS = ("editor", "nano", "vim", "vi")

SKELETON = """\
# {path}: see nsunit.container(5)

[Container]
# The root directory, or layers with the topmost first:
#Rootfs=/srv/{name}
#Layer=/srv/layers/{name}
#Layer=/srv/layers/base
#Volatile=yes

# What to run as PID 1:
#Exec=/usr/bin/{name} --foreground
#User={name}
#Environment=LANG=C.UTF-8
#Bind=/srv/data:/data
#Network=none

[Slice]
# Limits, see systemd.resource-control(5):
#MemoryMax=512M
#CPUQuota=50%
#TasksMax=200

[Service]
#Restart=on-failure
"""

GROUP_SKELETON = """\
# {path}: a group of containers, see nsunit.container(5)
# Containers join with [Container] Slice={group}

[Slice]
# What all of them may use together, see systemd.resource-control(5):
#MemoryMax=2G
#CPUQuota=200%
#TasksMax=1000
"""

POD_SKELETON = """\
# {path}: see nsunit.pod(5), nsunit.container(5)
# Containers join with [Container] Pod={pod}

[Pod]
#Network=bridge
#PublishPort=8080:80

[Slice]
# What all of them may use together, see systemd.resource-control(5):
#MemoryMax=2G
"""


NETWORK_SKELETON = """\
# {path}: see nsunit.network(5)
# Containers join with [Container] Network={network}

[Network]
#Subnet=10.20.0.0/24
#Subnet=fd00:20::/64
#Internal=yes
#Domain={network}.internal
"""


def _checked(text: str) -> str:
    """Return the name to look up for *text*: a template, `web@`, is looked at by way of an instance."""
    return check_any_name(f"{text}verify" if text.endswith("@") else text)


def _find(name: str, context: Context) -> Found:
    from nsunit.definition.search import find, find_group, find_network

    if is_network(name):
        return find_network(name.removesuffix(NETWORK_SUFFIX), context.search)
    return (find_group if is_group(name) else find)(name, context.search)


def render(invocation: Invocation) -> int:
    """The verb `render`."""
    from nsunit.manager.render import render, unit_files

    context = invocation.context()
    name = _checked(invocation.operands[0])
    if not invocation.flag("unit-files"):
        print_json(render(context, name))
        return 0
    files = unit_files(context, name)
    if invocation.flag("json"):
        print_json(files)
        return 0
    style = Style(plain=invocation.flag("no-color"))
    for index, (path, text) in enumerate(files.items()):
        _print_file(path, text, style, first=index == 0)
    return 0


def verify(invocation: Invocation) -> int:
    """The verb `verify`; without a name, all definitions."""
    from nsunit.manager.verify import verify, warnings

    context = invocation.context()
    names = [_checked(name) for name in invocation.operands]
    if not names:
        from nsunit.definition.search import list_groups, list_names, list_networks, list_pods, list_templates

        names = [
            *(name + NETWORK_SUFFIX for name in list_networks(context.search)),
            *list_groups(context.search),
            *list_pods(context.search),
            *list_names(context.search),
            *(f"{prefix}@verify" for prefix in list_templates(context.search)),
        ]
    problems = verify(context, names)
    if invocation.flag("json"):
        print_json(problems)
        return 1 if problems else 0
    if problems:
        raise DefinitionError(problems)
    if not invocation.flag("quiet"):
        for warning in warnings(context, names):
            warn(f"warning: {warning}")
        sys.stdout.write(f"{plural(len(names), 'definition')} checked, nothing wrong\n")
    return 0


def cat(invocation: Invocation) -> int:
    """The verb `cat`: each file under a comment with its path, as systemctl cat does it."""
    context = invocation.context()
    style = Style(plain=invocation.flag("no-color"))
    first = True
    for name in invocation.operands:
        found = _find(_checked(name), context)
        for path in (found.main, *found.drop_ins):
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                _print_file(path, file.read(), style, first)
            first = False
    return 0


def _print_file(path: str, text: str, style: Style, first: bool) -> None:
    if not first:
        style.line()
    style.line(style.paint(f"# {printable(path)}", "grey"))
    for line in text.splitlines():
        style.line(printable(line.replace("\t", "        ")) if style.terminal else line)


def edit(invocation: Invocation) -> int:
    """The verb `edit`."""
    context = invocation.context()
    name = invocation.operands[0]
    target, text = _what_to_edit(invocation, context, name)
    with _Draft(_checked(name), target, text) as draft:
        while True:
            changed = draft.fill(sys.stdin.buffer.read() if invocation.flag("stdin") else None)
            if not changed:
                _say(invocation, f"{target} is as it was")
                return 0
            try:
                draft.check(context)
                break
            except DefinitionError:
                if invocation.flag("stdin") or not _edit_again(invocation):
                    draft.keep()
                    raise
        draft.install()
    _say(invocation, f"wrote {target}; 'nsunit restart' applies it to what runs already")
    return 0


def _say(invocation: Invocation, text: str) -> None:
    if not invocation.flag("quiet"):
        sys.stdout.write(printable(text) + "\n")


def _edit_again(invocation: Invocation) -> bool:
    """Show what is wrong and ask whether to go on editing; without a terminal the answer is no."""
    from nsunit.cli.main import report

    error = sys.exc_info()[1]
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or not isinstance(error, DefinitionError):
        return False
    report(error)
    return input("Edit it again? [Y/n] ").strip().lower() in ("", "y", "yes")


def _what_to_edit(invocation: Invocation, context: Context, name: str) -> tuple[str, bytes]:
    """Return the path that will be written, always in the first directory searched, and the text to begin with."""
    from nsunit.definition.search import SUFFIX

    own = context.search.directories[0]
    prefix, instance = split_instance(name)
    drop_in = invocation.value("drop-in")
    try:
        found = _find(_checked(name), context)
    except NotFoundError:
        if not invocation.flag("force") or drop_in:
            raise
        path = os.path.join(own, name + SUFFIX)
        if is_network(name):
            from nsunit.manager.networks import check_network_name

            network = name.removesuffix(NETWORK_SUFFIX)
            check_network_name(network)
            return path, NETWORK_SKELETON.format(path=path, network=network).encode()
        if is_pod(name):
            return path, POD_SKELETON.format(path=path, pod=name.removesuffix(POD_SUFFIX)).encode()
        if is_group(name):
            return path, GROUP_SKELETON.format(path=path, group=name.removesuffix(GROUP_SUFFIX)).encode()
        return path, SKELETON.format(path=path, name=instance or prefix).encode()
    if drop_in is None:
        path = os.path.join(own, os.path.basename(found.main))
        return os.path.realpath(path), _read(found.main)
    if "/" in drop_in or drop_in.startswith(".") or not drop_in.removesuffix(".conf"):
        raise UsageError(f"'{printable(drop_in)}' is not the name of a drop-in file", hint="--drop-in=limits.conf")
    path = os.path.join(own, name + SUFFIX + ".d", drop_in.removesuffix(".conf") + ".conf")
    return path, _read(path) if os.path.exists(path) else b""


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class _Draft:
    """A copy of a definition's file, in a directory beside it from which it can be renamed into place.

    The directory's name starts with a dot, which no definition's does; in it the draft has the final name, so that
    the loader takes it for the definition, and an editor for a file of that kind.
    """

    def __init__(self, name: str, target: str, text: bytes) -> None:
        self.name = name
        self.target = target
        self.text = text
        self.before = _read(target) if os.path.exists(target) else None

    def __enter__(self) -> _Draft:
        import tempfile

        self.folder = os.path.dirname(self.target)
        is_drop_in = self.folder.endswith(".nsunit.d")
        self.top = os.path.dirname(self.folder) if is_drop_in else self.folder
        self._check_owner()
        os.makedirs(self.top, exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix=".edit-", dir=self.top)
        inner = os.path.join(self.directory, os.path.basename(self.folder)) if is_drop_in else self.directory
        os.makedirs(inner, exist_ok=True)
        self.path = os.path.join(inner, os.path.basename(self.target))
        with open(self.path, "wb") as file:
            file.write(self.text)
        return self

    def __exit__(self, *_error: object) -> None:
        import shutil

        shutil.rmtree(self.directory)

    def _check_owner(self) -> None:
        """Refuse what the caller could not give back to its owner, before there is anything to lose.

        Raises:
            NsunitError: the file, or the directory, is somebody else's.
        """
        if os.path.isdir(self.top) and not os.access(self.top, os.W_OK):
            raise NsunitError(f"'{printable(self.top)}' is not yours to write to", hint="have root do it")
        if self.before is None or os.geteuid() in (0, os.stat(self.target).st_uid):
            return
        import pwd

        number = os.stat(self.target).st_uid
        owner = next((entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == number), str(number))
        raise NsunitError(
            f"'{printable(self.target)}' belongs to '{owner}', so it is not yours to change",
            hint="add to it with --drop-in=NAME, or have it given to you: chown",
        )

    def fill(self, text: bytes | None) -> bool:
        """Take the new *text*, or let the user edit; tell whether anything has changed."""
        if text is None:
            run_editor(self.path)
        else:
            with open(self.path, "wb") as file:
                file.write(text)
        now = _read(self.path)
        return now != self.before and not (self.before is None and now == self.text)

    def check(self, context: Context) -> None:
        """Check the definition as it would be with the draft in place.

        Raises:
            DefinitionError: with the final path in it, not the draft's.
        """
        from nsunit.definition.search import SearchPath
        from nsunit.manager.context import Context as ManagerContext
        from nsunit.manager.verify import verify

        search = SearchPath((self.directory, *context.search.directories))
        problems = verify(ManagerContext(search=search, paths=context.paths), [self.name])
        if problems:
            raise DefinitionError(
                [problem.replace(path=self.target) if problem.path == self.path else problem for problem in problems]
            )

    def keep(self) -> None:
        """Save the draft beside the target, where no definition is looked for."""
        kept = os.path.join(self.top, os.path.basename(self.target) + ".rejected")
        os.replace(self.path, kept)
        sys.stderr.write(f"nsunit: nothing was changed; your text is kept in {printable(kept)}\n")

    def install(self) -> None:
        """Put the draft in place of the target, with its owner and mode, in one step.

        Raises:
            NsunitError: somebody else has changed the file meanwhile.
        """
        now = _read(self.target) if os.path.exists(self.target) else None
        if now != self.before:
            self.keep()
            raise NsunitError(f"'{printable(self.target)}' was changed meanwhile", hint="edit it again")
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path, "rb+") as file:
            if self.before is None:
                os.fchmod(file.fileno(), 0o644)
            else:
                status = os.stat(self.target)
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
            os.fsync(file.fileno())
        os.replace(self.path, self.target)
        directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def run_editor(path: str) -> None:
    """Let the user edit *path* with $SYSTEMD_EDITOR, $VISUAL, $EDITOR, or the first editor that is there.

    Raises:
        NsunitError: there is none, or it failed.
    """
    import shlex
    import subprocess

    chosen = next((os.environ[key] for key in ("SYSTEMD_EDITOR", "VISUAL", "EDITOR") if os.environ.get(key)), None)
    for command in [chosen] if chosen else _EDITORS:
        try:
            status = subprocess.run([*shlex.split(command), path], check=False).returncode
        except FileNotFoundError:
            continue
        if status:
            raise NsunitError(f"'{printable(command)}' failed with status {status}", hint="nothing was changed")
        return
    what = f"the editor '{printable(chosen)}' is not there" if chosen else "there is no editor"
    raise NsunitError(what, hint="name one in $SYSTEMD_EDITOR, or give the text to 'nsunit edit --stdin'")
