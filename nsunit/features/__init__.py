"""The registry of features: what a container *can* have, one folder each.

The rooms below the features (definition, plan, core) and the deeds above them know features by this table alone.  A
definition *uses* a feature when it sets one of its keys or is of its kind, or when the value of a key asks for it; only
then is the feature loaded, part by part: `load` is the one line of code that does it.

In each folder the same file names mean the same: `keys` has the rows of the table of settings (`TABLES`), the parsers
and the checks; `definition` the definitions of a kind of its own; `plan` what is pure; `deeds` what has effects;
`files` what is written for systemd; `setup` operations of the helper; `program` what systemd starts by `nsunit/run.py`.
HACKING.md tells when each hook is called, and with what.
"""

from __future__ import annotations

import sys

from nsunit import bytecode
from nsunit.record import Record

STARTER = __file__.rsplit("/", 2)[0] + "/run.py"  # of programs: see there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType
    from typing import Any

    from nsunit.setup.operation import Operation


class Feature(Record):
    """One folder.  Lists are words with blanks between them, since this table is made anew by every command.

    `keys` are those of [Container], `service` those of systemd's in [Service] that use it too, or `Timer` for a section
    of systemd's, `section` is that of definitions of its own kind, whose names end with `suffix`.
    `needs` are the features whose modules it imports.  `hooks` are functions, as `part.function`.  `operations` are
    keywords of steps in its `setup`.  `verbs` is the module with the table of its verbs, below nsunit.cli.  `of_users`:
    all containers of users without privileges use it.
    """

    name: str
    keys: str = ""
    service: str = ""
    section: str = ""
    suffix: str = ""
    needs: str = ""
    hooks: str = ""
    operations: str = ""
    verbs: str = ""
    of_users: bool = False


# Hooks are called in this order; systemd executes what `plan.commands` gives in it as well.
FEATURES = (
    Feature("delegation", verbs="delegate"),
    Feature("cgroup", needs="delegation", verbs="cgroup"),
    Feature(
        "groups",
        keys="Slice",
        suffix=".slice",
        hooks="keys.build definition.load definition.of_text plan.group_units deeds.start_member deeds.units_around"
        " deeds.render deeds.inspect deeds.stored_text deeds.record_path deeds.running_members files.unit_files"
        " files.files_around files.write_around files.forget_set_for_a_run files.remove_around"
        " doctor.left doctor.take_away",
    ),
    Feature(
        "pods",
        keys="Pod",
        section="Pod",
        suffix=".pod",
        needs="groups identities names namespaces network",
        hooks="keys.build definition.load definition.of_text definition.refuse_as_container definition.check_member"
        " plan.with_others plan.keepers plan.mounts plan.without_root deeds.check_limits deeds.require deeds.facts"
        " deeds.start deeds.stop deeds.render deeds.stored_text files.unit_files files.files_around files.enable"
        " files.disable files.write_for files.leave doctor.left",
    ),
    Feature(
        "namespaces",
        keys="PIDNamespace IPCNamespace UTSNamespace UserNamespace CgroupNamespace TimeNamespace MountNamespace"
        " TimeOffset Domainname",
        hooks="keys.build keys.check plan.joins plan.operations plan.needs plan.without_root doctor.findings"
        " doctor.left doctor.take_away",
        operations="join time-offsets domainname root-existing",
        verbs="ns",
    ),
    Feature(
        "identities",
        keys="PrivateUsers UIDMap GIDMap Ownership",
        hooks="keys.defaults keys.build keys.check plan.operations plan.without_root plan.ids deeds.reserve",
        operations="user-maps root-owned",
    ),
    Feature(
        "attributes",
        keys="CPUBurstSec CPUUtilizationMin CPUUtilizationMax MemorySwapHigh HugeTLBMax HugeTLBReservationMax RDMAMax"
        " MiscMax CGroupsMax CGroupDepthMax",
        hooks="keys.build keys.check plan.operations deeds.before_change deeds.change",
    ),
    Feature(
        "output",
        keys="Output",
        hooks="keys.build keys.check plan.directives plan.commands plan.operations",
        operations="output-pipes",
    ),
    Feature(
        "boot",
        keys="Boot",
        needs="output",
        hooks="keys.defaults keys.build keys.check plan.directives plan.operations plan.mounts deeds.facts"
        " deeds.foreground deeds.exit_status deeds.signal_for",
        operations="boot-subgroup boot-cgroup boot-read-only boot-host-files boot-identity boot-console boot-shared",
    ),
    Feature("machined", keys="Register", needs="boot", hooks="keys.build plan.commands deeds.facts doctor.findings"),
    Feature(
        "links",
        keys="Link ExposedPort",
        needs="names network",
        hooks="keys.build keys.check keys.aliases plan.needs plan.without_root deeds.facts",
    ),
    Feature(
        "names",
        keys="NetworkAlias AddHost DNS DNSSearch DNSOption",
        hooks="keys.build keys.check plan.mounts deeds.reserve deeds.facts deeds.at_boot",
    ),
    Feature(
        "network",
        keys="Network PublishPort HostPort Address MACAddress Gateway Route MTU Egress Ingress",
        section="Network",
        suffix=".network",
        needs="names namespaces",
        hooks="keys.implied keys.build keys.check plan.commands plan.beside plan.connects plan.mounts"
        " plan.without_root deeds.check_restart deeds.check_enable deeds.reserve deeds.facts deeds.at_boot deeds.shown"
        " foreign.warn networks.verify networks.verify_kind rates.change doctor.findings doctor.left doctor.take_away",
        operations="network network-files",
        verbs="network",
    ),
    Feature(
        "pasta",
        needs="names network",
        hooks="plan.connects plan.mounts deeds.check deeds.reserve deeds.check_now deeds.facts deeds.at_boot",
        operations="pasta",
    ),
    Feature(
        "tunnels",
        keys="Tunnel",
        needs="namespaces",
        hooks="keys.build keys.check plan.needs plan.connects plan.without_root deeds.facts deeds.notes",
        operations="tunnel",
    ),
    Feature(
        "activation",
        keys="Activation IdleStop",
        needs="network",
        hooks="keys.build keys.check plan.listeners plan.entry plan.operations plan.relations plan.without_root"
        " deeds.check_now deeds.facts deeds.at_boot deeds.settle deeds.repair deeds.give_up deeds.foreground"
        " files.listener_files",
        operations="listen-fds",
    ),
    Feature(
        "devices",
        keys="Device",
        hooks="keys.build keys.check plan.mounts plan.access deeds.expand deeds.foreground deeds.missing_sources",
        operations="device",
    ),
    Feature(
        "nesting",
        keys="Nesting",
        hooks="keys.build keys.check plan.mounts plan.operations plan.calls",
        operations="whole",
    ),
    Feature(
        "images",
        keys="Image Entrypoint Pull",
        needs="output health volumes names network",
        hooks="keys.build keys.check plan.operations obtain.ensure deeds.resolve deeds.preview deeds.foreground"
        " deeds.keep deeds.reserve deeds.facts deeds.shown doctor.left",
        operations="make-directory",
        verbs="image",
    ),
    Feature("updates", keys="AutoUpdate", needs="images", hooks="keys.build keys.check"),
    Feature(
        "health",
        keys="Health HealthInterval HealthTimeout HealthRetries HealthStartPeriod HealthStartInterval HealthOnFailure",
        hooks="keys.build keys.check plan.listeners plan.relations plan.operations deeds.facts deeds.check_now"
        " files.listener_files files.leave",
        operations="health",
    ),
    Feature(
        "volumes",
        keys="Volume ImageVolumes",
        hooks="keys.build keys.check plan.mounts plan.operations deeds.reserve deeds.facts doctor.left"
        " doctor.take_away",
        operations="volumes volume",
        verbs="volume",
    ),
    Feature(
        "credentials",
        keys="Secret",
        service="LoadCredential LoadCredentialEncrypted SetCredential SetCredentialEncrypted ImportCredential",
        hooks="keys.build keys.check plan.commands plan.operations deeds.check deeds.facts deeds.foreground",
        operations="credentials",
    ),
    Feature(
        "timers",
        service="Timer",
        hooks="keys.build plan.entry deeds.check deeds.enable_now deeds.shown files.listener_files files.leave",
    ),
    # Asked for by options of Bind=.
    Feature("binds", hooks="keys.check plan.operations plan.without_root", operations="bind-one-id bind-owned"),
    Feature("runtime", service="RuntimeMaxSec", hooks="keys.build plan.commands deeds.facts"),
    Feature("transfer", needs="images rootless", hooks="doctor.left doctor.take_away", verbs="transfer"),
    Feature("builds", needs="images", verbs="build"),
    Feature("shm", keys="ShmSize", hooks="keys.build keys.check plan.operations"),
    Feature(
        "environment_files",
        keys="EnvironmentFile",
        hooks="keys.build plan.operations deeds.missing_sources deeds.facts",
    ),
    Feature(
        "rootless",
        needs="delegation network pasta",
        hooks="plan.operations plan.ids deeds.check deeds.check_limits deeds.facts deeds.user_range deeds.remove_tree"
        " deeds.note_of_enable deeds.when_enabled doctor.findings",
        operations="own-users",
        of_users=True,
    ),
)
# What would be about the helper, and means the container: the key of [Container], and what to do if it was not meant.
ALIASES = {("Service", "User"): ("PrivateUsers", "a user inside is [Container] User=")}
_OWNERS = {key: feature.name for feature in FEATURES for key in feature.keys.split()}
_OF_SERVICE = {key: feature.name for feature in FEATURES for key in feature.service.split()}


def load(feature: str, part: str) -> ModuleType:
    """The module *part* of *feature*, imported when it is first asked for."""
    name = f"nsunit.features.{feature}.{part}"
    if name not in sys.modules:
        bytecode.preload(f"features.{feature}.{part}")
    __import__(name)
    return sys.modules[name]


def hooks(used: Iterable[str], hook: str) -> Iterator[Callable[..., Any]]:
    """The functions that the features *used* have for *hook*, `part.function`, in the order of the registry."""
    part, _, function = hook.partition(".")
    names = set(used)
    for feature in FEATURES:
        if feature.name in names and hook in feature.hooks.split():
            found: Callable[..., Any] = getattr(load(feature.name, part), function)
            yield found


def features_of(keys: Iterable[str]) -> tuple[str, ...]:
    """The names of the features whose *keys* of [Container] are among these, or that one of [Service] asks for."""
    owners = _OWNERS | _OF_SERVICE
    return tuple({owners[key]: None for key in keys if key in owners})


def is_of_service(key: str) -> bool:
    """Whether a feature has to know what *key* of [Service], which is systemd's, says."""
    return key in _OF_SERVICE


def owner_of(section: str, key: str) -> str:
    """The feature that *key* of *section* belongs to; empty if that is none."""
    if section == "Container":
        return _OWNERS.get(key, "")
    return next((feature.name for feature in FEATURES if feature.section == section), "")


def with_keys(section: str) -> tuple[str, ...]:
    """The names of the features that have keys in *section*."""
    whose = (feature for feature in FEATURES if feature.keys) if section == "Container" else FEATURES
    return tuple(item.name for item in whose if section in ("Container", item.section))


def kinds_of(name: str) -> tuple[str, ...]:
    """The feature that *name* is of a kind of by its ending, such as `shop.pod`; empty for a container."""
    return tuple(feature.name for feature in FEATURES if feature.suffix and name.endswith(feature.suffix))


def of_users() -> tuple[str, ...]:
    """The names of the features that all containers of users without privileges use."""
    return tuple(feature.name for feature in FEATURES if feature.of_users)


def with_operation(keyword: str) -> tuple[str, ...]:
    """The feature that has the operation of the helper with *keyword*; empty for one that all containers may have."""
    return tuple(feature.name for feature in FEATURES if keyword in feature.operations.split())


def operation_of(keyword: str) -> type[Operation] | None:
    """The operation of the helper that has *keyword*, of the feature that has it; None if none has."""
    for feature in with_operation(keyword):
        for kind in vars(load(feature, "setup")).values():
            if getattr(kind, "keyword", "") == keyword:
                found: type[Operation] = kind
                return found
    return None
