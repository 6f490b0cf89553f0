"""The [Container] section: its values, and what must hold between them."""

from __future__ import annotations

import pytest
from definitions import BASE, container, problems_of

from nsunit.definition.load import Host, load_text
from nsunit.definition.model import Bind, Container, Tmpfs, UserRange

HOST = Host(257)
ELEVEN = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_NET_BIND_SERVICE CAP_SETFCAP CAP_SETGID CAP_SETPCAP"
    " CAP_SETUID CAP_SYS_CHROOT"
)


def messages(lines: str, base: str = BASE) -> list[str]:
    return [str(problem) for problem in problems_of(lambda: container(lines, base))]


def test_defaults() -> None:
    expected = Container(exec=("/bin/sh",), rootfs="/srv/r", capabilities=tuple(ELEVEN.split()))
    assert container("") == expected
    assert expected.network == "none"
    assert expected.private_users == UserRange("yes")
    assert expected.no_new_privileges
    assert expected.stop_signal == 15


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ("Rootfs=/srv//x/./y/", "rootfs", "/srv/x/y"),
        ("ReadOnly=yes", "read_only", True),
        ("Volatile=1", "volatile", True),
        ("Exec=/bin/echo 'a b' \\x41 \"\" \\;", "exec", ("/bin/echo", "a b", "A", "", ";")),
        ("Exec=app $HOME ${X} $$", "exec", ("app", "$HOME", "${X}", "$$")),
        ("Exec=/bin/a\nExec=/bin/b", "exec", ("/bin/b",)),
        ('Exec=sh -c "a\\n\\tb\\x1b"', "exec", ("sh", "-c", "a\n\tb\x1b")),
        ("Environment=a.b-c=1", "environment", (("a.b-c", "1"),)),
        ("Environment=A=1 'B=2 3'\nEnvironment=A=4 C=", "environment", (("A", "4"), ("B", "2 3"), ("C", ""))),
        ("Environment=A=1\nEnvironment=\nEnvironment=B=2", "environment", (("B", "2"),)),
        ('Environment="Q=\\"x\\" \\\\"', "environment", (("Q", '"x" \\'),)),
        ("User=www-data", "user", "www-data"),
        ("User=0", "user", "0"),
        ("User=65535", "user", "65535"),
        ("Group=33", "group", "33"),
        ("SupplementaryGroups=adm 100\nSupplementaryGroups=dip", "supplementary_groups", ("adm", "100", "dip")),
        ("WorkingDirectory=/srv/", "working_directory", "/srv"),
        ("Hostname=web-1.example.org", "hostname", "web-1.example.org"),
        ("Bind=/a", "binds", (Bind("/a", "/a", False),)),
        (
            *("Bind=/a:/b -/c:/d:ro,norbind\nBindReadOnly=/e\nBind=/f\\:g:/h", "binds"),
            (
                Bind("/a", "/b", False),
                Bind("/c", "/d", True, recursive=False, optional=True),
                Bind("/e", "/e", True),
                Bind("/f:g", "/h", False),
            ),
        ),
        ("Bind='/a b':'/c d'", "binds", (Bind("/a b", "/c d", False),)),
        ("Bind=/a::ro", "binds", (Bind("/a", "/a", True),)),
        ("Tmpfs=/run", "tmpfs", (Tmpfs("/run", ()),)),
        ("Tmpfs=/run:size=1K '/a b'", "tmpfs", (Tmpfs("/run", (("size", "1024"),)), Tmpfs("/a b", ()))),
        (
            *(
                "Tmpfs=/run:size=10M,mode=755,nr_inodes=1k\nTmpfs=/tmp:size=50%,uid=5,gid=www-data".replace("1k", "1K"),
                "tmpfs",
            ),
            (
                Tmpfs("/run", (("size", "10485760"), ("mode", "0755"), ("nr_inodes", "1024"))),
                Tmpfs("/tmp", (("size", "50%"), ("uid", "5"), ("gid", "www-data"))),
            ),
        ),
        ("Network=host", "network", "host"),
        ("PrivateUsers=no", "private_users", UserRange("no")),
        ("PrivateUsers=524288:65536", "private_users", UserRange("range", 524288, 65536)),
        ("PrivateUsers=1:4294967294", "private_users", UserRange("range", 1, 4294967294)),
        ("Capability=-ALL", "capabilities", ()),
        ("Capability=-ALL +net_raw CAP_CHOWN", "capabilities", ("CAP_CHOWN", "CAP_NET_RAW")),
        ("Capability=-ALL\nCapability=SYS_TIME -SYS_TIME", "capabilities", ()),
        ("Capability=-CHOWN", "capabilities", tuple(ELEVEN.split())[1:]),
        ("NoNewPrivileges=no", "no_new_privileges", False),
        ("Init=yes", "init", True),
        ("StopSignal=SIGRTMIN+3", "stop_signal", 37),
        ("StopSignal=9", "stop_signal", 9),
        ("Notify=yes", "notify", True),
        (
            *("Sysctl=net.core.somaxconn=1024\nSysctl=kernel.sem = 250 32000 100 128", "sysctls"),
            (("net.core.somaxconn", "1024"), ("kernel.sem", "250 32000 100 128")),
        ),
        ("Sysctl=net.core.somaxconn=1\nSysctl=net.core.somaxconn=2", "sysctls", (("net.core.somaxconn", "2"),)),
    ],
)
def test_values(lines: str, field: str, value: object) -> None:
    assert getattr(container(lines), field) == value


def test_all_capabilities() -> None:
    granted = container("Capability=ALL").capabilities
    assert len(granted) == 41
    assert granted == tuple(sorted(granted))


def test_layers_instead_of_a_root() -> None:
    found = container("Layer=/l/top\nLayer=/l/base", base="Exec=/bin/sh\n")
    assert (found.rootfs, found.layers) == (None, ("/l/top", "/l/base"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Rootfs=srv", "Rootfs: 'srv' is not an absolute path"),
        ("Rootfs=/srv/../x", "Rootfs: '/srv/../x' contains '..'"),
        ("Rootfs=/" + "x" * 256, f"Rootfs: '/{'x' * 256}' is too long for a path"),
        ("ReadOnly=perhaps", "ReadOnly: 'perhaps' is neither yes nor no"),
        ("Exec=-/bin/sh", "Exec: '-/bin/sh' is not a program"),
        ("Exec=@/bin/sh x", "Exec: '@/bin/sh' is not a program"),
        ("Exec=bin/sh", "Exec: 'bin/sh' is neither a plain name nor an absolute path"),
        ("Exec=/bin/a ; /bin/b", "Exec: '/bin/a ; /bin/b' is more than one command"),
        ("Exec=/bin/a 'b", "Exec: '/bin/a 'b' has an unbalanced ' quote"),
        ("Exec=/bin/a \\q", "Exec: '\\q' is not an escape"),
        ("Environment=A", "Environment: 'A' is not NAME=VALUE"),
        ("Environment=1A=x", "Environment: '1A' is not the name of a variable"),
        ("Environment=.a=x", "Environment: '.a' is not the name of a variable"),
        ("Environment=-a=x", "Environment: '-a' is not the name of a variable"),
        ("Environment==x", "Environment: '' is not the name of a variable"),
        ("Environment=Ä=x", "Environment: 'Ä' is not the name of a variable"),
        ("Environment=A=x\\x00y", "Environment: '\\x00' is not an escape"),
        ("EnvironmentFile=etc", "EnvironmentFile: 'etc' is not an absolute path"),
        ("EnvironmentFile=/etc/*.env", "EnvironmentFile: '/etc/*.env' has wildcards"),
        ("Hostname=-web", "Hostname: '-web' is not a host name"),
        ("Hostname=a..b", "Hostname: 'a..b' is not a host name"),
        ("Hostname=a_b", "Hostname: 'a_b' is not a host name"),
        ("Hostname=" + "a" * 64, f"Hostname: '{'a' * 64}' is not a host name"),
        ("Hostname=" + "ab." * 21 + "ab", f"Hostname: '{'ab.' * 21}ab' is not a host name"),
        ("Bind=a", "Bind: 'a' is not an absolute path"),
        ("Bind=/a:b", "Bind: 'b' is not an absolute path"),
        ("Bind=/a:idmap,ro", "Bind: 'idmap,ro' is an option, no target"),
        ("Bind=/a:U", "Bind: 'U' is an option, no target"),
        ("Bind=/a:/b:rw:x", "Bind: '/a:/b:rw:x' has too many colons"),
        ("Bind=/a:/b:exec", "Bind: 'exec' is not an option of a bind mount"),
        ("Bind=/a:/", "Bind: '/' is the root itself"),
        ("Bind=/a:/proc", "Bind: '/proc' is in /proc, which nsunit sets up itself"),
        ("Bind=/a:/proc/self/x", "Bind: '/proc/self/x' is in /proc, which nsunit sets up itself"),
        ("Bind=/a://proc", "Bind: '//proc' is in /proc, which nsunit sets up itself"),
        ("Bind=/a:/./proc/sys", "Bind: '/./proc/sys' is in /proc, which nsunit sets up itself"),
        ("Bind=/a:/proc/../proc/sys", "Bind: '/proc/../proc/sys' contains '..'"),
        ("Bind=/a:/sys/fs/cgroup", "Bind: '/sys/fs/cgroup' is in /sys, which nsunit sets up itself"),
        ("BindReadOnly=/a:/b:rw", "BindReadOnly: 'rw' contradicts BindReadOnly="),
        ("Tmpfs=/run:size=x", "Tmpfs: 'x' is not a size"),
        ("Tmpfs=/run:size=200%", "Tmpfs: '200%' is not a share of the memory"),
        ("Tmpfs=/run:exec", "Tmpfs: 'exec' is not an option of tmpfs"),
        ("Tmpfs=/run:uid=-1", "Tmpfs: '-1' is not the number of a user"),
        ("Tmpfs='/run:gid=a b'", "Tmpfs: 'a b' is not a group"),
        ("Tmpfs=/run:mode=999", "Tmpfs: '999' is not an access mode"),
        ("Tmpfs=/run:size=1M,size=2M", "Tmpfs: '/run:size=1M,size=2M' gives an option twice"),
        ("Tmpfs=/a:b:c", "Tmpfs: '/a:b:c' has too many colons"),
        ("Network=Bridged", "Network: 'Bridged' is not the name of a network"),
        ("PrivateUsers=0:65536", "PrivateUsers: '0:65536' is out of range"),
        ("PrivateUsers=1:4294967295", "PrivateUsers: '1:4294967295' is out of range"),
        (
            "PrivateUsers=pick",
            "PrivateUsers: 'pick' is neither auto, no, identity, START:COUNT nor a user of this host",
        ),
        ("Capability=FLY", "Capability: 'FLY' is not a capability"),
        ("Capability=+-CHOWN", "Capability: '+-CHOWN' is not a capability"),
        ("StopSignal=SIGFOO", "StopSignal: 'SIGFOO' is not a signal"),
        ("Sysctl=kernel.panic=1", "Sysctl: 'kernel.panic' belongs to the whole machine"),
        ("Sysctl=kernel.shmmaxx=1", "Sysctl: 'kernel.shmmaxx' belongs to the whole machine"),
        ("Sysctl=kernel.hostname=a", "Sysctl: 'kernel.hostname' is not set as a kernel parameter"),
        ("Sysctl=net..x=1", "Sysctl: 'net..x' is not the name of a kernel parameter"),
        ("Sysctl=net.ipv4/../x=1", "Sysctl: 'net.ipv4/../x' is not the name of a kernel parameter"),
        ("Sysctl=net.core.somaxconn", "Sysctl: 'net.core.somaxconn' is not NAME=VALUE"),
    ],
)
def test_wrong_values(lines: str, message: str) -> None:
    assert messages(lines) == [f"web.nsunit:4: [Container] {message}"]


@pytest.mark.parametrize(
    "text",
    ["4294967295", "4294967296", "-1", "+1", "1_0", "0x0", "007", "1:", ":1", "١", "１", "1a", "", "a b", "a/b", ".a"],
)
def test_a_user_is_an_exact_number_or_a_name(text: str) -> None:
    if not text:
        assert container("User=").user is None
        return
    for key in ("User", "Group"):
        (message,) = messages(f"{key}={text}")
        assert message.startswith(f"web.nsunit:4: [Container] {key}: '{text}' is not ")


def test_a_user_number_may_be_as_high_as_the_kernel_allows() -> None:
    assert container("User=4294967294\nPrivateUsers=no").user == "4294967294"


@pytest.mark.parametrize(
    ("base", "lines", "expected"),
    [
        (
            "",
            "User=a",
            ["web.nsunit: [Container] Exec= is missing", "web.nsunit: [Container] needs Rootfs=, Layer= or Image="],
        ),
        ("Exec=/bin/sh\n", "", ["web.nsunit: [Container] needs Rootfs=, Layer= or Image="]),
        (
            *("Exec=/a\nRootfs=/r\n", "Layer=/l"),
            ["web.nsunit:4: [Container] Layer: Layer= and Rootfs= exclude each other"],
        ),
        *(
            (
                "Exec=/a\nRootfs=/r\n",
                f"{users}\nInit=yes\nNotify=yes\nUser=root\n",
                [
                    f"web.nsunit:{6 + users.count(chr(10))}: [Container] Notify: systemd would believe the host's root"
                    " inside which process is the unit's, by its number in the container"
                ],
            )
            for users in ("PrivateUsers=no", "PrivateUsers=identity", "UIDMap=0 300000 9\nUIDMap=9 0 1")
        ),
        ("Exec=/a\nLayer=/l\n", "Layer=/l", ["web.nsunit:4: [Container] Layer: a directory is a layer twice"]),
        (
            *("Exec=/a\nRootfs=/r\n", "ReadOnly=yes\nVolatile=yes"),
            ["web.nsunit:5: [Container] Volatile: nothing is written with ReadOnly=yes"],
        ),
        (
            *("Exec=/a\nRootfs=/r\n", "Network=host\nSysctl=net.core.somaxconn=1"),
            [
                "web.nsunit:5: [Container] Sysctl: 'net.core.somaxconn' would change the host's network with "
                "Network=host"
            ],
        ),
        (
            *("Exec=/a\nRootfs=/r\n", "Bind=/a:/x\nTmpfs=//x/"),
            ["web.nsunit:5: [Container] Tmpfs: '/x' is mounted on twice"],
        ),
        (
            *("Exec=/a\nRootfs=/r\n", "User=65536"),
            ["web.nsunit:4: [Container] User: '65536' is outside the container's 65536 ids"],
        ),
        (
            *("Exec=/a\nRootfs=/r\n", "PrivateUsers=100:10\nSupplementaryGroups=5 10"),
            ["web.nsunit:5: [Container] SupplementaryGroups: '10' is outside the container's 10 ids"],
        ),
    ],
)
def test_contradictions(base: str, lines: str, expected: list[str]) -> None:
    assert messages(lines, base) == expected


@pytest.mark.parametrize("lines", ["PrivateUsers=no\nInit=yes\nUser=5", "PrivateUsers=no", "Init=yes"])
def test_who_may_tell_of_itself(lines: str) -> None:
    """systemd believes nobody but the host's root that another process is the unit's, and 1 is nobody's number."""
    text = f"[Container]\nExec=/a\nRootfs=/r\nNotify=yes\n{lines}\n"
    assert load_text("web", text, "web.nsunit", HOST).container.notify
