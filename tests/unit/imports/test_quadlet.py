"""No key of Quadlet's is lost: each has its line in a definition, or a remark."""

import imports_corpus as corpus
import pytest

from nsunit.imports import find, unitfiles
from nsunit.imports.model import Given

# The keys of podman-container.unit(5), podman-pod.unit(5) and so on, of podman 5.4 to 5.8, and deprecated ones.
KEYS = {
    "container": """
        AddCapability AddDevice AddHost Annotation AppArmor AutoUpdate CgroupsMode ContainerName ContainersConfModule
        DNS DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost Exec
        ExposeHostPort GIDMap GlobalArgs Group GroupAdd HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount
        HealthMaxLogSize HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval
        HealthStartupRetries HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName HttpProxy Image IP IP6
        Label LogDriver LogOpt Mask Memory Mount Network NetworkAlias NoNewPrivileges Notify PidsLimit Pod PodmanArgs
        PublishPort Pull ReadOnly ReadOnlyTmpfs ReloadCmd ReloadSignal RemapGid RemapUid RemapUidSize RemapUsers Retry
        RetryDelay Rootfs RunInit SeccompProfile Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel
        SecurityLabelNested SecurityLabelType ServiceName ShmSize StartWithPod StopSignal StopTimeout SubGIDMap
        SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit Unmask User UserNS VolatileTmp Volume WorkingDir""",
    "pod": """
        AddHost ContainersConfModule DNS DNSOption DNSSearch ExitPolicy GIDMap GlobalArgs HostName IP IP6 Label Network
        NetworkAlias PodmanArgs PodName PublishPort RemapGid RemapUid RemapUidSize RemapUsers ServiceName ShmSize
        StopTimeout SubGIDMap SubUIDMap UIDMap UserNS Volume""",
    "network": """
        ContainersConfModule DisableDNS DNS Driver Gateway GlobalArgs InterfaceName Internal IPAMDriver IPRange IPv6
        Label NetworkDeleteOnStop NetworkName Options PodmanArgs ServiceName Subnet""",
    "volume": """
        ContainersConfModule Copy Device Driver GlobalArgs Group Image Label Options PodmanArgs ServiceName Type User
        VolumeName""",
    "image": """
        AllTags Arch AuthFile CertDir ContainersConfModule Creds DecryptionKey GlobalArgs Image ImageTag OS PodmanArgs
        Policy Retry RetryDelay ServiceName TLSVerify Variant""",
    "build": """
        Annotation Arch AuthFile BuildArg ContainersConfModule DNS DNSOption DNSSearch Environment File ForceRM
        GlobalArgs GroupAdd IgnoreFile ImageTag Label Network PodmanArgs Pull Retry RetryDelay Secret ServiceName
        SetWorkingDirectory Target TLSVerify Variant Volume""",
}
SECTIONS = {kind: kind.capitalize() for kind in KEYS}
# A value of each that is neither nsunit's default nor one that means nothing.
VALUES = {
    "Annotation": "a=b",
    "AutoUpdate": "registry",
    "CgroupsMode": "disabled",
    "AddHost": "a:192.0.2.1",
    "DNS": "192.0.2.53",
    "EnvironmentHost": "yes",
    "Environment": "A=b",
    "GIDMap": "0:1000:10",
    "AddDevice": "/dev/x",
    "HealthInterval": "5s",
    "HealthOnFailure": "kill",
    "HealthRetries": "5",
    "HealthStartPeriod": "5s",
    "HealthStartupInterval": "5s",
    "HealthTimeout": "5s",
    "HttpProxy": "yes",
    "LogDriver": "none",
    "LogOpt": "tag=a",
    "Mount": "type=bind,source=/a,target=/b",
    "NoNewPrivileges": "no",
    "Notify": "yes",
    "PidsLimit": "10",
    "PodmanArgs": "--cpus=1",
    "PublishPort": "80:80",
    "Pull": "always",
    "ReadOnly": "yes",
    "RemapUsers": "keep-id",
    "RunInit": "yes",
    "SecurityLabelDisable": "yes",
    "SecurityLabelNested": "yes",
    "ShmSize": "1g",
    "StartWithPod": "no",
    "StopTimeout": "20",
    "UIDMap": "0:1000:10",
    "Ulimit": "nofile=10",
    "UserNS": "host",
    "VolatileTmp": "yes",
    "Volume": "/a:/b",
    "Memory": "1g",
    "Network": "bridge",
    "ReadOnlyTmpfs": "no",
    "DisableDNS": "yes",
    "Driver": "other",
    "Internal": "yes",
    "IPRange": "10.1.0.0/24",
    "Subnet": "10.1.0.0/16",
    "Options": "mtu=1400",
    "Copy": "no",
    "Rootfs": "/srv/r",
    "Gateway": "10.1.0.1",
    "Device": "/dev/x",
    "Exec": "sleep 1",
}
TOGETHER = {"Group": "User=7", "ReadOnlyTmpfs": "ReadOnly=yes", "IPv6": "Subnet=10.1.0.0/16", "User": "Group=7"}
# Of those of volumes and images the container that uses them has the line.
ELSEWHERE = {("volume", "Copy"), ("volume", "Device"), ("volume", "Options"), ("volume", "Type")}
ELSEWHERE |= {("image", "Image"), ("image", "ImageTag"), ("build", "ImageTag")}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in KEYS.items() for key in keys.split()])
def test_a_key_has_a_line_or_a_remark(kind, key):
    value = VALUES.get(key, "yes" if key == "IPv6" else "x")
    image = "" if kind != "container" or key in ("Image", "Rootfs") else "Image=localhost/x\n"
    text = f"[{SECTIONS[kind]}]\n{image}{TOGETHER.get(key, 'X-Nothing=1')}\n{key}={value}\n"
    found = find("quadlet").convert(Given(((f"/q/it.{kind}", text),)))
    line = text.splitlines().index(f"{key}={value}") + 1
    said = [item for draft in found.drafts for item in draft.lines if item.origin.line == line]
    remarks = [remark for remark in found.remarks if remark.origin.line == line]
    merged = key == "Group" or (kind == "pod" and key in ("IP", "IP6"))  # part of another one's line
    assert said or remarks or merged or (kind, key) in ELSEWHERE
    assert not [remark for remark in remarks if "no key of Quadlet's" in remark.reason]


def test_a_key_that_nobody_knows():
    for kind, section in SECTIONS.items():
        found = find("quadlet").convert(Given(((f"/q/it.{kind}", f"[{section}]\nNew=1\n"),)))
        assert [remark.origin.key for remark in found.remarks if remark.origin.line == 2] == ["New"], kind


@pytest.mark.parametrize("case", [case for case in corpus.cases() if case.startswith("quadlet/")])
def test_nothing_that_is_said_is_lost(case):
    """Every assignment in the files of a case has its line, its remark, or is a default."""
    given = corpus.given_of(corpus.parts(case)[0])
    found = corpus.brought(case, given)
    known = {(line.origin.path, line.origin.line) for draft in found.drafts for line in draft.lines}
    known |= {(remark.origin.path, remark.origin.line) for remark in found.remarks}
    kept = {path for path, _ in known} | {draft.about[0].rpartition(" ")[2] for draft in found.drafts}
    lost = []
    for path, text in given.texts:
        if path not in kept or path.endswith((".volume", ".image", ".build", ".kube")):
            continue
        unit = unitfiles.read(path, text)
        lost += [
            f"{item.key}={item.value}"
            for item in unit.said
            if (path, item.origin.line) not in known and item.value and item.section != "Quadlet"
        ]
    assert set(lost) <= DEFAULTS


DEFAULTS = {
    *("CgroupsMode=no-conmon", "LogDriver=journald", "StartWithPod=true", "Network=none", "VolatileTmp=true"),
    *("UserNS=auto", "RemapUsers=manual", "Driver=bridge", "IPv6=true", "ReadOnlyTmpfs=true", "Group=33"),
    *(
        "IP=10.20.0.5",
        "IP6=fd00::5",
        "Driver=macvlan",
        "Options=parent=eth0",
        "Image=quay.io/fedora/fedora",
        "Memory=20g",
        "Environment=A=1",
        "Environment=HIDDEN_BY_THE_INSTANCE=1",
    ),
}
