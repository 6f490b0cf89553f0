"""The other way, and back: what comes in again is what went out."""

import json

import pytest

from nsunit.definition.setting import keys_of
from nsunit.definition.syntax import NETWORK_SECTIONS, SECTIONS, parse
from nsunit.definition.words import split
from nsunit.imports import find
from nsunit.imports.export import KINDS, export
from nsunit.imports.model import Given, Line, Origin
from nsunit.oci.spec.check.validate import check_config

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
Bind="/srv/c\\:d "'"'"e"'"'":/c"
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
BUNDLE = """\
[Container]
Rootfs=/srv/web
Exec=/bin/app "a b" 50%%
Environment=A=b "C=d e"
User=33
Group=34
SupplementaryGroups=4 24
WorkingDirectory=/srv
Hostname=web
Domainname=example.org
ReadOnly=yes
NoNewPrivileges=no
PrivateUsers=65536:65536
Capability=-ALL +CHOWN +NET_RAW
Bind="/srv/a b:/data"
BindReadOnly=/etc/ssl:/ssl:norbind
Tmpfs=/scratch:size=10M,mode=1777
ShmSize=128M
Sysctl=net.ipv4.ip_default_ttl=32
Network=path:/run/netns/x
IPCNamespace=host
Propagation=slave
X-Annotation="c=d e"
[Slice]
MemoryMax=64M
MemorySwapMax=64M
MemoryLow=32M
MemoryHigh=48M
CPUQuota=150%
CPUWeight=50
AllowedCPUs=0-1
AllowedMemoryNodes=0
TasksMax=100
[Service]
LimitNOFILE=100:200
LimitCORE=infinity
OOMScoreAdjust=100
UMask=0077
"""
BOOTS = (
    "[Container]\nRootfs=/var/lib/machines/web\nBoot=yes\nNetwork=bridge\nExec=/sbin/init systemd.unit=rescue.target\n"
)


def lines_of(text):
    sections = NETWORK_SECTIONS if text.startswith("[Network]") else SECTIONS
    assignments, problems = parse("/etc/nsunit/web.nsunit", text.encode(), sections)
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
    elif kind in ("compose", "oci"):
        ((name, text),) = found.files
        kind = {"oci": "bundle"}.get(kind, kind)
        given = Given(((f"/srv/shop/{name}", text),), name="" if kind == "compose" else "web")
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


def test_dollars_are_the_programs_in_quadlet_and_back():
    """Quadlet puts values on a command line of systemd's, where `$` begins a variable."""
    text = (
        '[Container]\nImage=x\nEnvironment=P=a$$b${C}\nExec=sh -c "echo $$ $HOME ${X}" $Y\n[Service]\nExecStop=/x $Y\n'
    )
    (file,) = export("quadlet", "web", lines_of(text)).files
    assert '\nExec=sh -c "echo $$$$ $$HOME $${X}" $$Y\n' in file[1] and "\nExecStop=/x $Y\n" in file[1]
    draft, remarks = came_back("quadlet", text)
    assert {("Container", "Environment", "P=a$$b${C}")} < said(draft.lines)
    assert {("Container", "Exec", 'sh -c "echo $$ $HOME ${X}" $Y')} < said(draft.lines)
    assert remarks == []


def test_a_command_line_and_back():
    draft, remarks = came_back("run", PODMAN)
    not_there = {item for item in said(lines_of(PODMAN)) if item[0] in ("Unit", "Install")}
    assert said(draft.lines) ^ (said(lines_of(PODMAN)) - not_there) == set()
    assert {remark.origin.key for remark in remarks} == {"Description", "After", "WantedBy", "--secret"}


def test_compose_and_back():
    draft, remarks = came_back("compose", PODMAN)
    assert draft.name == "shop-web"
    only_there = {
        *(("Unit", key) for key in ("Description", "After")),
        *(("Container", key) for key in ("Notify", "HealthOnFailure", "Secret")),
        *(("Slice", "MemoryHigh"), ("Service", "UMask"), ("Install", "WantedBy")),
    }
    expected = {item for item in said(lines_of(PODMAN)) if item[:2] not in only_there}
    expected |= {("Container", "X-Project", "shop"), ("Container", "X-Service", "web")}
    expected |= {("Container", "NetworkAlias", "web")}  # others find it by the name of the service
    assert said(draft.lines) ^ expected == set()
    assert {remark.origin.key for remark in remarks} == {key for _, key in only_there}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Network=none", ["network_mode: none"]),
        ("Network=bridge", ["network_mode: bridge"]),
        ("Network=container:db", ["network_mode: container:db"]),
        ("Network=front:address=fd00::9", ["networks: {front: {ipv6_address: 'fd00::9'}}", "front: {external: true}"]),
        (
            "Bind=/a\\:b:/c:norbind",
            ["volumes: [{type: bind, source: '/a:b', target: /c, bind: {recursive: disabled}}]"],
        ),
        ("Group=5", ["user: '0:5'"]),
        ('Exec=a "$b" 50%%', ["command: [a, $$b, 50%]"]),
        ("PrivateUsers=no", ["userns_mode: host"]),
        ("Health=no", ["healthcheck: {disable: true}"]),
        ('Environment="A=\\x7f\\n"', ['environment: ["A=\\x7f\\n"]']),
    ],
)
def test_lines_of_compose(line, found):
    yaml = pytest.importorskip("yaml")
    made = export("compose", "web", lines_of(f"[Container]\nImage=x\n{line}\n"))
    assert made.remarks == ()
    data = yaml.safe_load(made.files[0][1])
    expected = [yaml.safe_load(item) for item in found]
    assert {**data["services"]["web"], **expected[0]} == data["services"]["web"]
    assert all(data["networks"] == item for item in expected[1:])


@pytest.mark.parametrize(
    ("kind", "line", "remark"),
    [
        ("compose", "Rootfs=/srv/web", "Rootfs: a service has an image; 'nsunit image import' or 'commit', and Image="),
        ("compose", "Exec=%n", "Exec: a specifier is not replaced there; write what it stands for"),
        ("compose", "Notify=yes", "Notify: compose has no --sdnotify; use --as run, or --as quadlet"),
        ("compose", "Network=path:/run/netns/x", "Network: a namespace has no path there; use --as run"),
        ("compose", "Network=a:gateway=x", "Network: 'gateway' is nothing of an interface there; leave it out"),
        ("compose", "Address=192.0.2.1", "Address: an address is one in a network; use Network=NAME:address="),
        ("compose", "TimeOffset=boottime 1s", "TimeOffset: compose has nothing like it; leave it out"),
        (
            "compose",
            "PrivateUsers=auto",
            "PrivateUsers: all containers of docker's have the same ids; use userns-remap in daemon.json",
        ),
        ("run", "Exec=%n", "Exec: a specifier is not replaced there; write what it stands for"),
        ("compose", "NetworkAlias=b", "NetworkAlias: who is in no network has no other names; use Network=NAME"),
        (
            "compose",
            "Volatile=yes",
            "Volatile: what it writes goes with 'docker compose down' only; use ReadOnly=yes with Tmpfs=",
        ),
        ("oci", "User=www-data", "User: a bundle has no names of users; write the number"),
        ("oci", "SupplementaryGroups=a", "SupplementaryGroups: a bundle has no names of groups; write numbers"),
        ("oci", "Layer=/a", "Layer: what is written goes into the tree itself; use ReadOnly=, or a copy"),
        ("oci", "Rootfs=/a\nLayer=/b", "Layer: a bundle has one tree; mount them over each other before"),
        ("oci", "Capability=ALL", "Capability: all capabilities have to be named; name those that it needs"),
        ("oci", "Bind=/a:/b:idmap", "Bind: 'idmap' is no option of a mount there; use ids that the host has"),
        ("oci", "Bind=-/a:/b", "Bind: what is not there is an error; make it before the start"),
        ("oci", "UIDMap=a 1 2", "UIDMap: ids are numbers there; write INSIDE OUTSIDE COUNT"),
        (
            "oci",
            "PIDNamespace=container:a",
            "PIDNamespace: a bundle knows no other containers; use path: with a namespace of it",
        ),
        ("oci", "Network=bridge", "Network: a runtime connects nothing; use what connects its network namespace"),
        ("oci", "Health=/x", "Health: a bundle says nothing like it; leave it out"),
        ("oci", "[Service]\nRestart=always", "Restart: only a unit of systemd's has it; call the runtime in one"),
        ("oci", "[Slice]\nCPUQuota=x", "CPUQuota: 'x' is no share of a CPU; e.g. 50%"),
    ],
)
def test_what_else_cannot_be_said(kind, line, remark):
    root = "Image=x\n" if kind != "oci" else ""
    made = export(kind, "web", lines_of(f"[Container]\n{root}{line}\n"))
    assert [f"{item.origin.key}: {item.reason}; {item.instead}" for item in made.remarks] == [remark]


def test_a_bundle_and_back():
    check_config(json.loads(export("oci", "web", lines_of(BUNDLE)).files[0][1]))
    draft, remarks = came_back("oci", BUNDLE)
    expected = said(lines_of(BUNDLE))
    expected |= {("Container", "Ownership", "chown")}  # files of a bundle belong to the ids outside
    assert said(draft.lines) ^ expected == set()
    assert remarks == []


def test_a_bundle_of_least():
    """What nsunit has as its default comes in again as that."""
    draft, remarks = came_back("oci", "[Container]\nRootfs=/srv/web\nExec=/bin/app\n")
    expected = "[Container]\nRootfs=/srv/web\nExec=/bin/app\n[Slice]\nTasksMax=1024\n"
    assert said(draft.lines) == said(lines_of(expected))
    assert remarks == []


def test_a_value_with_a_line_break_is_no_line():
    made = export("quadlet", "web", lines_of('[Container]\nImage=x\nEnvironment="A=a\\nExec=evil"\n'))
    assert 'Environment="A=a\\nExec=evil"' in made.files[0][1].split("\n")
    assert not [line for line in made.files[0][1].split("\n") if line.startswith("Exec=")]


def test_a_root_with_a_dollar_sign():
    made = export("nspawn", "web", lines_of("[Container]\nRootfs=/srv/$a%%b\nExec=/x\n"))
    assert dict(made.files)["systemd-nspawn@web.service.d/50-nsunit.conf"].endswith("--directory=/srv/$$a%%b\n")


def test_a_path_with_a_colon():
    made = export("run", "web", lines_of("[Container]\nImage=x\nBindReadOnly=/a\\:b:/c\n"))
    assert "--mount=type=bind,source=/a:b,target=/c,ro" in made.files[0][1].split()


def test_blanks_and_quotes_in_paths_are_themselves_for_nspawn():
    text = r"""[Container]
Rootfs=/var/lib/machines/web
Exec=/x
Bind="/srv/a b:/c\:d"
Tmpfs="/t u\:v:size=1M"
"""
    made = export("nspawn", "web", lines_of(text))
    lines = dict(made.files)["web.nspawn"].splitlines()
    assert {r"Bind=/srv/a b:/c\:d", r"TemporaryFileSystem=/t u\:v:size=1M"} <= set(lines)


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
        "Capability": "+NET_RAW",
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
SAME = {
    ("nspawn", "Register"),
    ("quadlet", "Volatile"),
    ("oci", "PrivateUsers"),
}


def test_what_cannot_be_said():
    text = "[Container]\nImage=x\nNetwork=macvlan:eth0\nBind=-/a:/b\nEnvironment=A=%n\nTimeOffset=boottime 1s\n"
    found = export("run", "web", lines_of(f"{text}[Service]\nExecStartPre=/bin/true\n"))
    assert [(remark.origin.key, remark.reason) for remark in found.remarks] == [
        ("Network", "podman has links as networks"),
        ("Bind", "what is not there is an error"),
        ("TimeOffset", "podman has nothing like it"),
        ("ExecStartPre", "only a unit of systemd's has it"),
        ("Environment", "a specifier is not replaced there"),
    ]


def test_words_for_a_shell():
    text = '[Container]\nImage=x\nExec=sh -c "echo \'a\' \\"$b\\" 50%%"\n'
    assert export("run", "web", lines_of(text)).files[0][1].endswith("x sh -c 'echo '\\''a'\\'' \"$b\" 50%'\n")


def test_a_group_without_a_user():
    text = "[Container]\nImage=x\nGroup=33\n"
    assert "--user=0:33" in export("run", "web", lines_of(text)).files[0][1].split()
    assert export("quadlet", "web", lines_of(text)).files[0][1].startswith("[Container]\nUser=0\nImage=x\nGroup=33\n")


NETWORK = """\
[Network]
Subnet=10.7.0.0/24
Subnet=fd00:7::/64
Gateway=10.7.0.9
Range=10.7.0.100-10.7.0.200
MTU=1400
Internal=yes
X-Label="a=b c"
"""
POD = """\
[Unit]
After=network-online.target
[Pod]
Hostname=shop
Network=front:address=10.7.0.101
PublishPort=8080:80
DNS=192.0.2.53
AddHost=db:192.0.2.1
[Slice]
MemoryMax=1073741824
CPUQuota=150%
"""


def test_a_network_and_a_pod_go_out_and_come_in_again():
    texts = {"front.network": NETWORK, "shop.pod": POD}
    made = {name: export("quadlet", name, lines_of(text)) for name, text in texts.items()}
    assert [found.remarks for found in made.values()] == [(), ()]
    files = [(f"/q/{path}", text) for found in made.values() for path, text in found.files]
    member = export("quadlet", "web", lines_of("[Container]\nImage=x\nPod=shop\n"))
    ((_, text),) = member.files
    assert "\nPod=shop.pod\n" in text
    back = find("quadlet").convert(Given((*files, ("/q/web.container", text))))
    assert back.remarks == ()
    drafts = {draft.name: draft for draft in back.drafts}
    for name, text in texts.items():
        was = [(line.section, line.key, line.value) for line in lines_of(text)]
        came = [(line.section, line.key, line.value) for line in drafts[name].lines]
        assert sorted(came) == sorted(was)
    assert drafts["web"].values("Container", "Pod") == ("shop",)


def test_what_a_network_or_a_pod_of_quadlet_cannot_say():
    found = export("quadlet", "n.network", lines_of("[Network]\nIsolate=yes\nDomain=a.b\n"))
    assert [remark.origin.key for remark in found.remarks] == ["Isolate", "Domain"]
    found = export("quadlet", "p.pod", lines_of("[Pod]\nShare=net\nHostPort=53\n"))
    assert {remark.origin.key for remark in found.remarks} == {"Share", "HostPort"}
