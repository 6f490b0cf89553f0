"""From processes, open files and mounts to the ledger of namespaces."""

import pytest

from nsunit.features.namespaces.ledger import (
    COPY,
    FILE,
    HOST,
    LEFT,
    MOUNT,
    PIN,
    PINNED,
    USED,
    Handle,
    Process,
    Scan,
    attribute,
    compare,
    container_of_cgroup,
    leftovers,
    mounts_of_namespaces,
    parse_link,
    rows,
)
from nsunit.names import scope_name, service_name, slice_name

HOST_INODES = {"cgroup": 1, "ipc": 2, "net": 3, "mnt": 4, "pid": 5, "time": 6, "user": 7, "uts": 8}
SYSTEMD = Process(1, "systemd", "", HOST_INODES, {})
WEB = HOST_INODES | {"net": 103, "mnt": 104, "pid": 105, "user": 107}
OWNERS = {103: 107, 104: 107, 105: 107, 107: 7}


def scan(*processes, handles=(), owners=OWNERS, parents=None, origins=None):
    return Scan(HOST_INODES, (SYSTEMD, *processes), tuple(handles), owners, parents or {}, origins or {})


def web(pid=50, children=None, **namespaces):
    return Process(pid, "sleep", "web", WEB | namespaces, children or {})


def found(facts, **wanted):
    """The only row with these values."""
    matching = [row for row in rows(facts) if all(getattr(row, key) == value for key, value in wanted.items())]
    assert len(matching) == 1, matching
    return matching[0]


def test_a_container_and_its_session():
    facts = scan(web(), web(51))
    assert [(row.kind, row.inode, row.state) for row in rows(facts)] == [
        ("cgroup", 1, HOST),
        ("ipc", 2, HOST),
        ("net", 103, USED),
        ("mnt", 104, USED),
        ("pid", 105, USED),
        ("time", 6, HOST),
        ("user", 107, USED),
        ("uts", 8, HOST),
    ]
    row = found(facts, kind="net")
    assert (row.container, row.owner, row.processes, row.pins, row.kept_by) == ("web", 107, 2, (), ("2 processes",))
    assert found(facts, kind="uts").kept_by == ("the host",)
    assert leftovers(rows(facts)) == []


def test_processes_of_nobody_are_not_in_the_ledger():
    assert rows(scan(Process(60, "firefox", "", HOST_INODES | {"net": 200}, {}))) == []


def test_two_containers_in_one_namespace():
    facts = scan(web(), Process(52, "sh", "db", HOST_INODES | {"net": 103}, {}))
    assert {row.container for row in rows(facts) if row.inode == 103} == {"db", "web"}
    assert found(facts, container="db", inode=103).processes == 2


def test_what_the_next_child_will_be_in():
    facts = scan(web(children={"time": 160}), owners=OWNERS | {160: 107})
    assert (found(facts, inode=160).kind, found(facts, inode=160).processes, found(facts, inode=160).state) == (
        "time",
        0,
        USED,
    )


def test_a_pin_outlives_its_container_and_keeps_the_owner():
    facts = scan(handles=[Handle("net", 103, PIN, "shop", "web")], owners={103: 107, 107: 7})
    pinned = found(facts, kind="net")
    assert (pinned.container, pinned.state, pinned.pins, pinned.kept_by) == ("web", PINNED, ("shop",), ("pin shop",))
    owner = found(facts, kind="user")
    assert (owner.inode, owner.state, owner.kept_by) == (107, PINNED, ("namespaces below it: net 103",))
    assert leftovers(rows(facts)) == []


def test_a_pin_of_a_container_that_runs():
    facts = scan(web(), handles=[Handle("net", 103, PIN, "shop", "web")])
    row = found(facts, kind="net", inode=103)
    assert (row.state, row.pins, row.kept_by) == (USED, ("shop",), ("1 process", "pin shop"))


def test_the_namespace_of_an_earlier_run():
    """Started again, it has others; the one that somebody's file still holds is left."""
    handle = Handle("net", 903, FILE, "70 (tcpdump)")
    facts = scan(web(), handles=[handle], owners=OWNERS | {903: 907, 907: 7}, origins={903: "web"})
    row = found(facts, inode=903)
    assert (row.container, row.state, row.kept_by) == ("web", LEFT, ("a file that is open in 70 (tcpdump)",))
    assert [(item.inode, item.state) for item in leftovers(rows(facts))] == [(903, LEFT), (907, LEFT)]


def test_a_process_outside_of_the_container_keeps_it():
    shells = [Process(pid, "bash", "", HOST_INODES | {"net": 103}, {}) for pid in range(80, 85)]
    row = found(scan(*shells, origins={103: "web"}), inode=103)
    assert (row.state, row.processes) == (LEFT, 5)
    assert row.kept_by == (*(f"process {pid} (bash)" for pid in (80, 81, 82)), "2 more processes of the host")


def test_what_a_container_has_made_inside():
    """As `ip netns add` does there: no process, a mount in the container's mount namespace."""
    mount = Handle("net", 300, MOUNT, "'/run/netns/blue' in the mount namespace of 50 (sleep)", "web")
    row = found(scan(web(), handles=[mount], owners=OWNERS | {300: 107}), inode=300)
    assert (row.container, row.state, row.processes) == ("web", USED, 0)
    assert row.kept_by == ("a mount at '/run/netns/blue' in the mount namespace of 50 (sleep)",)


def test_copies_of_a_pin_are_named_only_without_it():
    copy = Handle("net", 103, COPY, "'/run/nsunit/namespaces/shop/net' in the mount namespace of 9 (cron)")
    pin = Handle("net", 103, PIN, "shop", "web")
    assert found(scan(handles=[copy, pin]), kind="net").kept_by == ("pin shop",)
    alone = found(scan(handles=[copy], origins={103: "web"}), kind="net")
    assert (alone.state, alone.kept_by[0].startswith("a copy of a pin at '/run")) == (LEFT, True)


def test_a_pid_namespace_that_one_below_keeps():
    facts = scan(
        handles=[Handle("pid", 305, FILE, "9 (x)")],
        owners={305: 107, 105: 107, 107: 7},
        parents={305: 105, 105: 5},
        origins={305: "web", 105: "web"},
    )
    assert "namespaces below it: pid 305" not in found(facts, inode=305).kept_by
    assert attribute(facts) == {305: {"web"}, 105: {"web"}, 107: {"web"}}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/nsunit.slice/nsunit-web.slice/nsunit-web.service/payload", "web"),
        ("/nsunit.slice/nsunit-shop.slice/nsunit-shop-web.slice/nsunit-web.service", "web"),
        (f"/nsunit.slice/{slice_name('my-app')}/{service_name('my-app')}", "my-app"),
        (f"/nsunit.slice/{slice_name('a@b')}/{service_name('a@b')}/payload/x", "a@b"),
        (f"/nsunit.slice/{slice_name('my-app')}/{scope_name('my-app', 'exec', '12ab')}", "my-app"),
        (f"/nsunit.slice/{slice_name('a@b')}/{scope_name('a@b', 'run', '12ab')}/payload", "a@b"),
        ("/nsunit.slice/nsunit-web.slice", ""),
        ("/nsunit.slice/other.service", ""),
        ("/nsunit.slice/.scope", ""),
        ("/system.slice/nsunit-web.service", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_container_of_cgroup(path, name):
    assert container_of_cgroup(path) == name


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("net:[4026531840]", ("net", 4026531840)),
        ("time:[1]", ("time", 1)),
        ("socket:[77]", None),
        ("pipe:[77]", None),
        ("net:[x]", None),
        ("net:[1", None),
        ("/tmp/net:[1]", None),
        ("", None),
    ],
)
def test_parse_link(text, parsed):
    assert parse_link(text) == parsed


def test_mounts_of_namespaces():
    text = (
        "22 1 8:1 / / rw shared:1 - ext4 /dev/vda rw\n"
        "194 193 0:4 net:[4026532233] /run/netns/a\\040b\\134 rw shared:109 - nsfs nsfs rw\n"
        "195 193 0:4 mnt:[4026532234] /x rw - nsfs nsfs rw\n"
        "196 193 0:4 net:[4] /x rw - tmpfs nsfs rw\n"
        "197 193 0:4 bogus:[4] /x rw - nsfs nsfs rw\n"
        "garbage\n"
        "198 193 0:4 uts:[4026532235] /tmp/\x0cu rw - nsfs nsfs rw\n"
    )
    found = [("net", 4026532233, "/run/netns/a b\\"), ("mnt", 4026532234, "/x"), ("uts", 4026532235, "/tmp/\x0cu")]
    assert mounts_of_namespaces(text) == found


def test_compare():
    left, right = {"net": (4, 1), "pid": (4, 2), "uts": (4, 3)}, {"net": (4, 1), "pid": (4, 9)}
    compared = compare(left, right, ("net", "pid", "uts"))
    assert [(item.kind, item.same, item.inodes) for item in compared] == [
        ("net", True, (1, 1)),
        ("pid", False, (2, 9)),
    ]
