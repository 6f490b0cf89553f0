"""From config.json to the steps of a container: pure, nothing of the host is looked at."""

from __future__ import annotations

from nsunit.oci.errors import SpecError
from nsunit.oci.spec import files, hooks, namespaces, program
from nsunit.oci.spec.check.validate import check_config
from nsunit.oci.spec.fields import Json, take
from nsunit.oci.spec.namespaces import Namespaces
from nsunit.record import Record
from nsunit.setup.namespaces import Loopback
from nsunit.setup.oci.process import SEPARATORS, Call, Domainname, Keyring, Sysctl, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from nsunit.setup.oci.hooks import Hook
    from nsunit.setup.operation import Operation


class Plan(Record):
    """What is to be made; *hooks* by kind; *oom_score* is None where the caller's stays; *limits* as of Program."""

    namespaces: Namespaces
    steps: tuple[Operation, ...]
    hooks: dict[str, tuple[Hook, ...]]
    oom_score: int | None
    terminal: bool
    limits: tuple[tuple[int, int, int], ...]
    keeps_groups: bool = False


def check_version(config: Json) -> None:
    """Refuse what is not of runtime-spec 1.

    Raises:
        SpecError: it is not.
    """
    version = str(config.get("ociVersion") or "")
    if not version.startswith("1."):
        raise SpecError(f"unsupported version {version or 'of config.json'}: ociVersion must be 1.x")


def plan(config: Json, bundle: str, identity: str, *, binds_devices: bool, keyring: bool = True) -> Plan:
    """The plan of container *identity* with its bundle in *bundle*, an absolute path.

    *binds_devices*: no nodes can be made, as is so in the runtime's user namespace, and in one of the container's.

    Raises:
        SpecError: config.json asks for what cannot be.
    """
    check_version(config)
    check_config(config)
    linux: Json = take(config, "linux", dict)
    process: Json = take(config, "process", dict)
    if not process:
        raise SpecError("process property must not be empty")
    spaces = namespaces.parse(linux)
    if not spaces.has("mnt"):
        raise SpecError("config.json has no mount namespace, which a container of nsunit-oci needs")
    said = hooks.parse(config)
    wishes = program.asked_by(take(config, "annotations", dict))
    todo = program.parse(process, linux, wishes, new=True)
    steps: list[Operation] = files.before_pivot(
        config, bundle, spaces, binds_devices=binds_devices or spaces.has("user")
    )
    if keyring:
        steps.insert(1, Keyring())
    if "net" in spaces.made:
        steps.insert(1, Loopback())
    if "prestart" in said or "createRuntime" in said:
        steps.append(_steps_of_hooks().RuntimeHooks())
    steps += _container_hooks("createContainer", said, hooks.state_but_pid(config, bundle, identity, "creating"))
    steps += [*files.pivot(config), *_names(config, spaces), *_sysctls(linux, spaces), *files.hidden(config)]
    steps += [*todo.early, *files.read_only(steps), *todo.become, Wait()]
    steps += _container_hooks("startContainer", said, hooks.state_but_pid(config, bundle, identity, "created"))
    steps += todo.last
    return Plan(spaces, tuple(steps), said, todo.oom_score, todo.terminal, todo.limits, wishes.keeps_groups)


def _container_hooks(kind: str, said: dict[str, tuple[Hook, ...]], state: str) -> list[Operation]:
    return [_steps_of_hooks().ContainerHooks(kind, said[kind], state)] if kind in said else []


def _steps_of_hooks() -> ModuleType:
    from nsunit.setup.oci import hooks  # what has none is not to load them

    return hooks


def _names(config: Json, spaces: Namespaces) -> list[Operation]:
    steps: list[Operation] = []
    hostname, domain = take(config, "hostname", str), take(config, "domainname", str)
    if (hostname or domain) and not spaces.has("uts"):
        raise SpecError("unable to set hostname or domainname without a private UTS namespace")
    if hostname:
        steps.append(Call(f"set the host name '{hostname}'", "sethostname", (hostname,)))
    if domain:
        steps.append(Domainname(domain))
    return steps


_IPC = frozenset(("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"))


def _sysctls(linux: Json, spaces: Namespaces) -> list[Operation]:
    steps: list[Operation] = []
    for key, value in take(linux, "sysctl", dict).items():
        # What separates first says how the rest is read, as with sysctl(8): a dot, or a slash as in a path.
        name = key if "." in key.partition("/")[0] else key.translate(SEPARATORS)
        area, _, rest = name.partition(".")
        is_name = not {"", ".", ".."}.intersection(name.translate(SEPARATORS).split("/"))
        if not is_name or not _is_separate(area, rest, spaces):
            raise SpecError(f'sysctl "{name}" is not in a separate kernel namespace')
        steps.append(Sysctl(name, value))
    return steps


def _is_separate(area: str, rest: str, spaces: Namespaces) -> bool:
    """Whether each namespace has a parameter *rest* in *area* of its own, and the container has such a namespace."""
    if area == "kernel":
        return spaces.has("ipc") if rest in _IPC else rest == "domainname" and spaces.has("uts")
    if area == "fs":
        return rest.startswith("mqueue.") and spaces.has("ipc")
    return area in ("net", "user") and spaces.has(area)
