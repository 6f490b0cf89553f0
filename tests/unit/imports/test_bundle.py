"""No member of config.json is lost: each has its line, its remark, or says what is so anyway."""

import json

import imports_corpus as corpus
import pytest

from nsunit.imports import find
from nsunit.imports.bundle import _ALL
from nsunit.imports.bundle.table import IN
from nsunit.imports.model import Given

# Of runtime-spec 1.3: config.md and config-linux.md.
MEMBERS = """
    annotations domainname hooks.createContainer hooks.createRuntime hooks.poststart hooks.poststop hooks.prestart
    hooks.startContainer hostname linux.cgroupsPath linux.devices linux.gidMappings linux.intelRdt linux.maskedPaths
    linux.memoryPolicy linux.mountLabel linux.namespaces linux.netDevices linux.personality linux.readonlyPaths
    linux.rootfsPropagation linux.seccomp linux.sysctl linux.timeOffsets linux.uidMappings mounts ociVersion
    process.apparmorProfile process.args process.capabilities.ambient process.capabilities.bounding
    process.capabilities.effective process.capabilities.inheritable process.capabilities.permitted process.commandLine
    process.consoleSize process.cwd process.env process.execCPUAffinity process.ioPriority process.noNewPrivileges
    process.oomScoreAdj process.rlimits process.scheduler process.selinuxLabel process.terminal
    process.user.additionalGids process.user.gid process.user.uid process.user.umask process.user.username root.path
    root.readonly solaris vm windows zos freebsd""".split()
RESOURCES = """
    blockIO.leafWeight blockIO.throttleReadBpsDevice blockIO.throttleReadIOPSDevice blockIO.throttleWriteBpsDevice
    blockIO.throttleWriteIOPSDevice blockIO.weight blockIO.weightDevice cpu.burst cpu.cpus cpu.idle cpu.mems cpu.period
    cpu.quota cpu.realtimePeriod cpu.realtimeRuntime cpu.shares devices hugepageLimits memory.checkBeforeUpdate
    memory.disableOOMKiller memory.kernel memory.kernelTCP memory.limit memory.reservation memory.swap
    memory.swappiness memory.useHierarchy network.classID network.priorities pids.limit rdma unified""".split()
# What is so anyway, or is part of another one's line.
DEFAULTS = {
    *(f"process.capabilities.{name}" for name in ("bounding", "effective", "inheritable", "permitted")),
    *("ociVersion", "linux.gidMappings", "linux.resources.cpu.period", "linux.resources.memory.useHierarchy"),
    *("process.user.umask", "root.readonly"),
}


def test_all_members_are_known():
    assert set(_ALL) == {*MEMBERS, *(f"linux.resources.{name}" for name in RESOURCES)}
    assert not IN & set(_ALL)


def members(value, prefix=""):
    """The paths of what a config.json says."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if name in IN:
            yield from members(item, f"{name}.")
        else:
            yield name


@pytest.mark.parametrize("name", sorted({*MEMBERS, *(f"linux.resources.{name}" for name in RESOURCES)}))
def test_a_member_of_the_case_with_all_of_them(name):
    given = corpus.given_of(corpus.parts("bundle/every-key")[0])
    config = json.loads(given.texts[0][1])
    assert name in set(members(config)) or name in DEFAULTS | {"process.terminal", "process.capabilities.bounding"}
    found = find("bundle").convert(given)
    said = {line.origin.key for draft in found.drafts for line in draft.lines}
    said |= {remark.origin.key for remark in found.remarks}
    assert name in said | DEFAULTS or name == "process.terminal"


def test_what_is_not_said_is_the_hosts():
    text = json.dumps({"process": {"args": ["x"]}, "root": {"path": "r"}})
    (draft,) = find("bundle").convert(Given((("/srv/b/config.json", text),))).drafts
    assert draft.values("Container", "Network") == ("host",)
    assert draft.values("Container", "Capability") == ("-ALL",)
