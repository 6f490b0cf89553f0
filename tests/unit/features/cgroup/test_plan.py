import pytest

from nsunit.errors import UsageError
from nsunit.features.cgroup import plan as cgroups
from nsunit.features.cgroup.plan import Group, parse_group, parse_spec, resolve_controllers

ALL = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")


def test_a_group_and_its_unit():
    group = parse_group("/my-web/jobs/one")
    assert group == Group("my-web", ("jobs", "one"))
    assert group.path == "my-web/jobs/one"
    assert group.unit == r"nsunit-cgroup-my\x2dweb.service"
    assert group.cgroup == r"/nsunit.slice/nsunit-cgroup-my\x2dweb.service/jobs/one"
    assert group.parents == (Group("my-web"), Group("my-web", ("jobs",)))
    assert cgroups.group_of_unit(group.unit) == group.top


def test_units_of_others():
    for unit in ("nsunit-web.service", "nsunit-cgroup.service", "nsunit-cgroup-a-b.service", "nsunit-cgroup-a.slice"):
        assert cgroups.group_of_unit(unit) is None
    assert cgroups.group_of_unit(r"nsunit-cgroup-a\x.service") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("..", "'..' is outside of the groups of nsunit"),
        ("web/../../x", "'web/../../x' is outside of the groups of nsunit"),
        ("/sys/fs/cgroup/web", "'/sys/fs/cgroup/web' is outside of the groups of nsunit"),
        ("/", "'/' is the root, which belongs to systemd"),
        ("", "'' is the root, which belongs to systemd"),
        ("user.slice/user-1000.slice", "'user.slice/user-1000.slice' belongs to systemd"),
        ("ssh.service", "'ssh.service' belongs to systemd"),
        ("init.scope", "'init.scope' belongs to systemd"),
        ("web//x", "'web//x' is not the name of a group"),
        ("web/", "'web/' is not the name of a group"),
        ("web/.", "'web/.' is not the name of a group"),
        ("we b", "'we b' is not the name of a group"),
        ("w\n[Service]", "'w\\n[Service]' is not the name of a group"),
        ("-x", "'-x' is not the name of a group"),
        ("x" * 101, f"'{'x' * 101}' is not the name of a group"),
        ("x" + "-" * 99, f"'x{'-' * 99}' is too long for the name of a unit"),
    ],
)
def test_no_group(text, message):
    with pytest.raises(UsageError) as caught:
        parse_group(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_specs():
    assert parse_spec("cpu,memory:web/x") == (("cpu", "memory"), Group("web", ("x",)))
    assert parse_spec("*:web") == (("*",), Group("web"))
    assert parse_spec(":web") == parse_spec("web") == ((), Group("web"))


def test_controllers():
    assert resolve_controllers(["*"], ALL) == ("cpu", "cpuset", "io", "memory", "pids")
    assert resolve_controllers(["memory", "cpu"], ALL) == ("cpu", "memory")
    assert resolve_controllers(["blkio", "cpuacct", "freezer"], ALL) == ("cpu", "io")
    assert resolve_controllers(["freezer", "perf_event"], ALL) == ()
    with pytest.raises(UsageError) as caught:
        resolve_controllers(["net_cls"], ALL)
    assert caught.value.message == "'net_cls' is not a controller that can be delegated"
    with pytest.raises(UsageError) as caught:
        resolve_controllers(["io"], ("cpu",))
    assert caught.value.message == "the kernel does not provide the controller 'io'"


def test_the_unit():
    unit = cgroups.group_unit(Group("web", ("x",)), ("cpu", "io"), 1000)
    values = {item.name: item.value for item in unit.properties}
    assert unit.name == "nsunit-cgroup-web.service"
    assert (values["Type"], values["RemainAfterExit"], values["Slice"]) == ("oneshot", True, "nsunit.slice")
    assert (values["DelegateControllers"], values["User"]) == (("cpu", "io"), "1000")
    assert "User" not in {item.name for item in cgroups.group_unit(Group("web"), (), None).properties}


def test_modes():
    assert cgroups.parse_mode("775") == 0o775
    for text in ("", "8", "rwx", "1000", "-1"):
        with pytest.raises(UsageError) as caught:
            cgroups.parse_mode(text)
        assert caught.value.message == f"'{text}' is not a file mode"
