"""`clone`: another container like one that is there, with a copy of what that has written."""

from __future__ import annotations

import os

from nsunit.core.context import take_back
from nsunit.core.dropin import copy_drop_ins
from nsunit.core.jobs import Outcome
from nsunit.core.programs import directory_with
from nsunit.core.running import is_running
from nsunit.definition.load import load
from nsunit.definition.search import find, main_file
from nsunit.dropins.definitions import renamed, texts_of, write_all
from nsunit.errors import NsunitError
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.features.transfer import bundle, kept
from nsunit.features.transfer.export import at_rest, enter_ids, own_volumes, refuse_kinds
from nsunit.features.transfer.staging import Staging
from nsunit.names import split_instance
from nsunit.setup import linux
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition

# Keys whose values two that run cannot both have, and those that lead both to the same place.
_ONE_S = ("PublishPort", "HostPort", "Address", "MACAddress", "Hostname", "NetworkAlias")
_SHARED = ("Bind", "Volume")


def clone(context: Context, old: str, new: str) -> Outcome:
    """Make container *new* like *old*, which is paused meanwhile if it runs.

    It gets ids and an address of its own when it is started.  What both cannot have is told by context.warn.

    Raises:
        NsunitError: there is something of that name; nothing of it is left.
    """
    for name in (old, new):
        refuse_kinds(name)
    if old == new:
        raise NsunitError(f"{new}: it is itself", hint="give the clone another name")
    with Staging(context) as staging, at_rest(context, old, pause=True, locks=(new,)):
        definition = load(old, context.search, context.host)
        check_free(context, old, new)
        _check_root(definition)
        _copy_state(context, old, staging)
        undo: Undo = []
        try:
            state = context.paths.state_of(new)
            undo.append(lambda: context.remove_tree(state))  # before, since a signal may come in between
            kept.note_new(staging.path, new)
            files.move(f"{staging.path}/{kept.STATE}", state)
            copy_definition(context, definition, new, undo)
            kept.forget_new(staging.path)
        except BaseException:
            take_back(undo)
            raise
    _tell(context, definition, new)
    return Outcome(new, "cloned")


def check_free(context: Context, old: str, new: str) -> None:
    """See that there is nothing of the name *new*, to which *old* is to be brought over.

    Raises:
        NsunitError: there is, or one of them is an instance and the other is not of its template.
    """
    if is_running(context, new):
        raise NsunitError(f"{new}: a container of that name runs", hint="take another name")
    prefix, instance = split_instance(new)
    if bool(instance) != bool(split_instance(old)[1]) or (instance and prefix != split_instance(old)[0]):
        hint = "give both names of one template, or copy the template to a definition of its own"
        raise NsunitError(f"{new}: '{old}' is defined by a template, or '{new}' is, and not both by one", hint=hint)
    there = main_file(new, context.search)
    if there and there != main_file(old, context.search):
        raise NsunitError(f"{new}: a container of that name is defined ('{there}')", hint="take another name")
    if os.path.lexists(context.paths.state_of(new)):
        hint = f"remove that with 'nsunit rm {new}'"
        raise NsunitError(f"{new}: there is the state of a container of that name", hint=hint)


def _check_root(definition: Definition) -> None:
    container = definition.container
    if container.rootfs and not container.read_only and not container.volatile:
        hint = "copy that with 'cp -a --reflink=auto', and define a container with it by Rootfs="
        raise NsunitError(f"{definition.name}: it writes to the host's '{container.rootfs}'", hint=hint)


def _copy_state(context: Context, old: str, staging: Staging) -> None:
    state = f"{staging.path}/state"
    os.mkdir(state, 0o700)
    files.make_private_directory(context.paths.states)
    former = context.paths.state_of(old)
    image = files.read_file(f"{former}/image")
    if image is not None:
        files.write_file(f"{state}/image", image)
    for number, (file, place) in enumerate(own_volumes(context, old).items()):
        target = f"{state}/{bundle.VOLUMES}/{file}"
        files.make_private_directory(os.path.dirname(target))
        files.make_private_directory(target)
        _copy(context, f"{place}/{bundle.DATA}", f"{target}/{bundle.DATA}", f"{staging.path}/log{number}")
    upper = f"{context.paths.upper_of(old)}/upper"
    if os.path.isdir(upper):
        _copy_upper(context, upper, staging)
    staging.sync()


def _copy_upper(context: Context, upper: str, staging: Staging) -> None:
    overlay = f"{staging.path}/state/overlay"
    for path, mode in ((overlay, 0o755), (f"{overlay}/work", 0o700)):
        os.mkdir(path)
        os.chmod(path, mode)
    _copy(context, upper, f"{overlay}/upper", f"{staging.path}/log")


def _copy(context: Context, source: str, target: str, log: str) -> None:
    raise_first([Worker(lambda: _copy_tree(context, source, target, log), ()).result()])


def _copy_tree(context: Context, source: str, target: str, log: str) -> list[str]:
    """Have cp(1) copy the directory *source*, sharing its blocks where the file system can."""
    enter_ids(context)
    program = f"{directory_with(('cp',))}/cp"
    argv = ("cp", "-a", "--reflink=auto", "--sparse=auto", "-T", "--", source, target)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    pid = os.fork()
    if pid == 0:
        try:
            linux.prctl(linux.PR_SET_PDEATHSIG, 9)  # as this process has it: whoever is killed takes it along
            os.dup2(errors, 2)
            os.execve(program, argv, {"LC_ALL": "C"})
        finally:
            os._exit(127)
    os.close(errors)
    if os.waitpid(pid, 0)[1]:
        said = (files.read_file(log) or b"").decode("utf-8", "replace").splitlines()
        raise NsunitError(f"what it has written cannot be copied: {said[0] if said else 'cp was killed'}")
    return []


def copy_definition(context: Context, definition: Definition, new: str, undo: Undo) -> None:
    """Write the files that define *definition*'s container for container *new* as well."""
    old = definition.name
    write_all(context.search.directories[0], renamed(texts_of(find(old, context.search)), old, new), undo)
    if copy_drop_ins(context, definition, new, undo):
        context.bus.reload()


def _tell(context: Context, definition: Definition, new: str) -> None:
    old = definition.name
    for item in definition.assignments:
        if item.section == "Container" and item.key in _ONE_S:
            context.warn(
                f"warning: {new}: {item.key}={item.text} is {old}'s, too: "
                f"change it with 'nsunit edit {new}' before both run"
            )
        elif item.section == "Container" and item.key in _SHARED and not _is_copied(item.key, item.text):
            context.warn(f"warning: {new}: {item.key}={item.text} is shared with {old}")


def _is_copied(key: str, text: str) -> bool:
    """Whether it is a volume without a name, of which each has one."""
    return key == "Volume" and text.startswith("/")
