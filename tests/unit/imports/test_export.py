"""The other way, and back: what comes in again is what went out."""

import pytest

from nsunit.definition.setting import keys_of
from nsunit.definition.syntax import parse
from nsunit.definition.words import split
from nsunit.imports import find
from nsunit.imports.export import KINDS, export
from nsunit.imports.model import Given, Line, Origin

# Definitions that podman, or systemd-nspawn, can say in whole.
PODMAN = """\
[Unit]
Description=A shop
After=nsunit-db.service
[Container]
Image=docker.io/library/nginx
Exec=serve "a b" --port 80
Entrypoint=/bin/entry -x
Environment=A=b "C=d e"
EnvironmentFile=/etc/default/web
WorkingDirectory=/srv
User=33
Group=34
SupplementaryGroups=4
Hostname=web.example.org
Init=yes
Notify=yes
StopSignal=SIGINT
Health=/bin/check "a b"
HealthInterval=1min
HealthTimeout=5s
HealthRetries=5
HealthStartPeriod=10s
HealthOnFailure=kill
Bind=/srv/data:/data:idmap
BindReadOnly=/etc/ssl:/ssl:norbind,idmap
Volume=cache:/var/cache
Volume=/anonymous
Tmpfs=/scratch:size=10M,mode=1777
ShmSize=128M
Secret=token:env=TOKEN
Device=/dev/fuse
Capability=-ALL
Capability=+CHOWN +NET_RAW
Network=bridge:address=10.91.0.5,mac=0a:58:00:00:00:09
PublishPort=8080:80
PublishPort=127.0.0.1:5353:53/udp
AddHost=printer:192.0.2.9
DNS=192.0.2.53
DNSSearch=example.org
DNSOption=ndots:2
NetworkAlias=shop
ExposedPort=5432
Sysctl=net.ipv4.ip_default_ttl=32
Pull=newer
IPCNamespace=host
X-Label=a=b
X-Annotation="c=d e"
ReadOnly=yes
Tmpfs=/var/tmp
[Slice]
MemoryMax=64M
MemorySwapMax=64M
MemoryLow=32M
MemoryHigh=48M
CPUQuota=150%
CPUWeight=50
AllowedCPUs=0-1
TasksMax=1024
[Service]
LimitNOFILE=100:200
OOMScoreAdjust=100
UMask=0077
TimeoutStopSec=20s
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
NSPAWN = """\
[Unit]
After=network-online.target
[Container]
Rootfs=/srv/web
Exec=/bin/app "a b"
Init=yes
Environment=A=b "C=d e"
User=www-data
WorkingDirectory=/srv
Hostname=web.example.org
StopSignal=SIGINT
Notify=yes
NoNewPrivileges=yes
PrivateUsers=65536:65536
Capability=+NET_RAW
Capability=-CHOWN
Bind=/srv/data:/data
Bind="/srv/a b"
BindReadOnly=/etc/ssl:/ssl:norbind,idmap
Tmpfs=/tmp:size=10M
ReadOnly=yes
Network=bridge
PublishPort=8080:80
PublishPort=53:53/udp
[Slice]
MemoryMax=64M
CPUQuota=50%
[Service]
LimitNOFILE=100:200
OOMScoreAdjust=100
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
BOOTS = (
    "[Container]\nRootfs=/var/lib/machines/web\nBoot=yes\nNetwork=bridge\nExec=/sbin/init systemd.unit=rescue.target\n"
)


def lines_of(text):
    assignments, problems = parse("/etc/nsunit/web.nsunit", text.encode())
    assert not problems
    return [Line(section, key, value, Origin("web", line, key)) for section, key, value, line in assignments]


def said(lines):
    """What is said, word by word where the order of words does not count, and sizes as numbers."""
    found = set()
    for line in lines:
        value = line.value
        for end, factor in (("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)):
            if line.section == "Slice" and value.endswith(end) and value[:-1].isdecimal():
                value = str(int(value[:-1]) * factor)
        many = line.key in ("Capability", "Environment")
        found |= {(line.section, line.key, item) for item in (split(value, c_escapes=True) if many else [value])}
    return found


def came_back(kind, text, **more):
    """What comes of it when it is exported as *kind* and imported again, with remarks of both."""
    found = export(kind, "web", lines_of(text))
    if kind == "run":
        words = split(found.files[0][1].strip(), c_escapes=False)
        given = Given(arguments=tuple(words))
    else:
        base = {"quadlet": "/etc/containers/systemd", "nspawn": "/etc/systemd/nspawn"}[kind]
        texts = [
            (f"/etc/systemd/system/{name}" if "/" in name else f"{base}/{name}", text) for name, text in found.files
        ]
        given = Given(tuple(texts), **more)
    brought = find(kind).convert(given)
    (draft,) = brought.drafts
    return draft, [*found.remarks, *brought.remarks]


def test_quadlet_and_back():
    draft, remarks = came_back("quadlet", PODMAN)
    expected = said(lines_of(PODMAN))
    expected ^= {("Unit", "After", "nsunit-db.service"), ("Unit", "After", "db.service")}  # it was not imported with it
    assert said(draft.lines) ^ expected == set()
    assert {str(remark.origin.key) for remark in remarks} == {"Secret"}  # its content is not


def test_a_command_line_and_back():
    draft, remarks = came_back("run", PODMAN)
    not_there = {item for item in said(lines_of(PODMAN)) if item[0] in ("Unit", "Install")}
    assert said(draft.lines) ^ (said(lines_of(PODMAN)) - not_there) == set()
    assert {remark.origin.key for remark in remarks} == {"Description", "After", "WantedBy", "--secret"}


@pytest.mark.parametrize("text", [NSPAWN, BOOTS])
def test_nspawn_and_back(text):
    draft, remarks = came_back("nspawn", text)
    assert said(draft.lines) ^ said(lines_of(text)) == set()
    assert remarks == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [key for key in sorted(keys_of("Container")) if not key.startswith("X-")])
def test_no_key_is_lost(kind, key):
    """A key becomes something, or is told."""
    value = {
        "CPUBurstSec": "1s",
        "PrivateUsers": "no",
        "UIDMap": "0 1 2",
        "GIDMap": "0 1 2",
        "Capability": "+KILL",
    }.get(key, "yes")
    value = {"PublishPort": "80:80", "Network": "host", "HealthInterval": "5s", "HealthTimeout": "5s"}.get(key, value)
    value = {"HealthStartPeriod": "5s", "HealthStartInterval": "5s", "NoNewPrivileges": "no"}.get(key, value)
    root = "" if key in ("Image", "Rootfs", "Layer") else "Image=x\n"
    without = export(kind, "web", lines_of(f"[Container]\n{root}"))
    found = export(kind, "web", lines_of(f"[Container]\n{root}{key}={value}\n"))
    told = [remark for remark in found.remarks if remark.origin.key == key]
    assert found.files != without.files or told or (kind, key) in SAME
    assert all(remark.reason and remark.instead for remark in told)


# What is there in all cases.
SAME = {("nspawn", "Register"), ("quadlet", "Volatile"), ("quadlet", "User"), ("quadlet", "Group")}


def test_what_cannot_be_said():
    text = "[Container]\nImage=x\nNetwork=macvlan:eth0\nBind=-/a:/b\nEnvironment=A=%n\nTimeOffset=boottime 1s\n"
    found = export("run", "web", lines_of(f"{text}[Service]\nExecStartPre=/bin/true\n"))
    assert [(remark.origin.key, remark.reason) for remark in found.remarks] == [
        ("Network", "podman has links as networks"),
        ("Bind", "what is not there is an error"),
        ("TimeOffset", "podman has nothing like it"),
        ("ExecStartPre", "a command line is no unit"),
        ("Environment", "a specifier is not replaced there"),
    ]


def test_words_for_a_shell():
    text = '[Container]\nImage=x\nExec=sh -c "echo \'a\' \\"$b\\" 50%%"\n'
    assert export("run", "web", lines_of(text)).files[0][1].endswith("x sh -c 'echo '\\''a'\\'' \"$b\" 50%'\n")


def test_a_group_without_a_user():
    text = "[Container]\nImage=x\nGroup=33\n"
    assert "--user=0:33" in export("run", "web", lines_of(text)).files[0][1].split()
    assert export("quadlet", "web", lines_of(text)).files[0][1].startswith("[Container]\nUser=0\nImage=x\nGroup=33\n")
