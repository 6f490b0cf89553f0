"""Names of containers, and of the units that are made of them."""

from __future__ import annotations

import pytest

from nsunit.errors import UsageError
from nsunit.names import (
    check_any_name,
    check_name,
    container_of_listener,
    container_of_timer,
    container_of_unit,
    default_hostname,
    escape,
    former_unit,
    groups_above,
    health_service,
    health_timer,
    is_group,
    is_slice_of,
    is_valid_group,
    is_valid_name,
    mount_unit,
    pod_of_unit,
    scope_name,
    service_name,
    slice_name,
    slice_path,
    socket_name,
    timer_name,
    unescape,
)

GOOD = [
    "a",
    "0",
    "web",
    "my-app",
    "a.b",
    "a_b",
    "a--b",
    "a-",
    "a.",
    "w@b",
    "w-1@b.2",
    "9" * 63,
    "a" + "-" * 50,
    "app-exec-1",
]
BAD = [
    "", ".", "..", "-a", "_a", ".a", "A", "wEb", "a/b", "/a", "a b", " a", "a ", "a\n", "\na", "a\0", "a\t", "a%n",
    "a\\b", "a@", "@a", "a@b@c", "a@-b", "a:b", "a,b", "a;b", "a$b", "a*", "a?", "a[b]", "~a", "ä", "\uff41", "\u0661",
    "a\u200b", "a\x1b[2J", "9" * 64, "a" + "-" * 51, "x" * 32 + "@" + "y" * 32, "a'b", 'a"b', "a\u2028", "a\x85",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name):
    assert check_name(name) == name
    longest = max(service_name(name), slice_name(name), scope_name(name, "exec", "0" * 8), key=len)
    assert len(longest) <= 255
    assert container_of_unit(service_name(name)) == name
    assert container_of_unit(scope_name(name, "run", "0a1b")) == name
    assert container_of_unit(scope_name(name, "exec", "0a1b")) is None
    assert "/" not in service_name(name)
    # A dash of the name must not nest slices: below nsunit.slice there is exactly one level.
    assert slice_name(name).count("-") == 1


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_bad_names(name):
    assert not is_valid_name(name)
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.message.isprintable()


def test_names_give_different_units():
    assert len({service_name(name) for name in GOOD}) == len(GOOD)
    assert len({slice_name(name) for name in GOOD}) == len(GOOD)
    assert slice_name("w@b") != slice_name("w-b")


@pytest.mark.parametrize(
    "unit",
    [
        "web.service",
        "nsunit-.service",
        "nsunit-A.service",
        "nsunit-a-health.service",
        "nsunit-a-port-80.service",
        "nsunit-auto-update.service",
        "nsunit-pull-3f.service",
        "nsunit-a\\x2d.slice",
        "nsunit-x.scope",
    ],
)
def test_units_of_somebody_else(unit):
    assert container_of_unit(unit) is None


def test_a_template_is_no_container():
    with pytest.raises(UsageError, match="'w@' is a template, and no container") as caught:
        check_name("w@")
    assert caught.value.hint == "name an instance of it, such as 'w@1'; the template itself is the file 'w@.nsunit'"


@pytest.mark.parametrize(
    ("name", "service", "former"),
    [
        ("web", "nsunit-web.service", ""),
        ("my-app", "nsunit-my-app.service", r"nsunit-my\x2dapp.service"),
        ("my-app@blue-1", "nsunit-my-app@blue-1.service", r"nsunit-my\x2dapp@blue\x2d1.service"),
        ("port-80", "nsunit-port-80.service", r"nsunit-port\x2d80.service"),
        ("a-healthy", "nsunit-a-healthy.service", r"nsunit-a\x2dhealthy.service"),
        # Beside another container, or nsunit's own, there could be a unit of the plain name.
        ("web-health", r"nsunit-web\x2dhealth.service", ""),
        ("web-port-80", r"nsunit-web\x2dport\x2d80.service", ""),
        ("web-port-a", r"nsunit-web\x2dport\x2da.service", ""),
        ("auto-update", r"nsunit-auto\x2dupdate.service", ""),
        ("pull-1f", r"nsunit-pull\x2d1f.service", ""),
        ("cgroup-web", r"nsunit-cgroup\x2dweb.service", ""),
        ("limits-of@web", r"nsunit-limits\x2dof@web.service", ""),
        ("names@shop", r"nsunit-\x6eames@shop.service", ""),
        ("names@my-shop", r"nsunit-\x6eames@my\x2dshop.service", ""),
        ("shop-eu.pod", "nsunit-shop-eu.pod.service", r"nsunit-shop\x2deu.pod.service"),
    ],
)
def test_services_have_plain_names_where_nothing_else_is_called_so(name, service, former):
    assert service_name(name) == service
    assert former_unit(service) == former
    of = pod_of_unit if name.endswith(".pod") else container_of_unit
    assert of(service) == name
    assert not former or of(former) == name
    for other in (health_service("web"), health_timer("web"), socket_name("web", 80), "nsunit-auto-update.timer"):
        assert other.rpartition(".")[0] != service.rpartition(".")[0]
        assert not former_unit(other)


def test_timers_and_sockets_are_called_as_their_services():
    assert timer_name("my-app") == "nsunit-my-app.timer"
    assert container_of_timer("nsunit-my-app.timer") == container_of_timer(r"nsunit-my\x2dapp.timer") == "my-app"
    assert container_of_timer(health_timer("web")) is None
    assert container_of_timer("nsunit-auto-update.timer") is container_of_timer("web.timer") is None
    assert former_unit("nsunit-my-app.timer") == r"nsunit-my\x2dapp.timer"
    assert container_of_listener("nsunit-my-app.socket") == "my-app"
    assert container_of_listener(r"nsunit-my\x2dapp.socket") == "my-app"
    assert container_of_listener(r"nsunit-my\x2dapp-port-80.socket") == "my-app"
    assert container_of_listener("nsunit-my-port-80.socket") == "my"
    assert former_unit("nsunit-my-app.slice") == former_unit("backup-job.service") == ""


@pytest.mark.parametrize(
    ("slice_", "path"),
    [
        ("nsunit.slice", "/nsunit.slice"),
        ("nsunit-web.slice", "/nsunit.slice/nsunit-web.slice"),
        ("nsunit-shop-web.slice", "/nsunit.slice/nsunit-shop.slice/nsunit-shop-web.slice"),
        (r"nsunit-my\x2dapp.slice", r"/nsunit.slice/nsunit-my\x2dapp.slice"),
    ],
)
def test_slice_path(slice_, path):
    assert slice_path(slice_) == path


@pytest.mark.parametrize(
    ("name", "hostname"), [("web", "web"), ("a_b", "a-b"), ("w@b", "w-b"), ("a.", "a"), ("0", "0"), ("a-", "a")]
)
def test_default_hostname(name, hostname):
    assert default_hostname(name) == hostname


@pytest.mark.parametrize("name", ["shop", "shop-eu", "a1_b.c-d", "9"])
def test_names_of_groups(name):
    assert is_valid_group(name)
    assert is_group(f"{name}.slice")
    assert check_any_name(f"{name}.slice") == f"{name}.slice"


@pytest.mark.parametrize("name", ["", "-", "shop-", "-shop", "shop--eu", "Shop", "a@b", "_a", "a/b", "a\x1b", "a" * 64])
def test_what_is_no_name_of_a_group(name):
    assert not is_valid_group(name)
    with pytest.raises(UsageError, match="is not the name of a group"):
        check_any_name(f"{name}.slice")


def test_slices_in_groups():
    assert slice_name("my-app", "shop-eu") == r"nsunit-shop-eu-my\x2dapp.slice"
    assert groups_above("shop-eu-1") == ("shop.slice", "shop-eu.slice", "shop-eu-1.slice")
    for slice_, name in (
        ("nsunit-web.slice", "web"),
        ("nsunit-shop-web.slice", "web"),
        (slice_name("a-b", "x"), "a-b"),
    ):
        assert is_slice_of(slice_, name)
    for slice_, name in (("nsunit-web.slice", "b"), ("system.slice", "web"), ("x-web.slice", "web"), ("", "web")):
        assert not is_slice_of(slice_, name)
    assert not is_slice_of("nsunit-a-b.slice", "a-b")
    assert escape("a-b") == r"a\x2db"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("web", "web"),
        ("my\\x2dapp", "my-app"),
        ("a\\xzz", "a\\xzz"),
        ("a\\x2", "a\\x2"),
        ("a\\x", "a\\x"),
        ("a\\x+1", "a\\x+1"),
        ("a\\xff", "a\ufffd"),
        ("a\udcff", "a?"),
    ],
)
def test_whatever_a_unit_is_called_can_be_unescaped(text, name):
    assert unescape(text) == name


@pytest.mark.parametrize(
    ("unit", "pod"),
    [
        ("nsunit-shop.pod.service", "shop.pod"),
        ("nsunit-\\x2e\\x2e\\x2fetc.pod.service", None),
        ("nsunit-..\\x2fetc.pod.service", None),
        ("nsunit-\\xff.pod.service", None),
        ("nsunit-web.service", None),
        ("shop.pod.service", None),
    ],
)
def test_pod_of_unit(unit, pod):
    assert pod_of_unit(unit) == pod


def test_units_of_mounts():
    """As systemd-escape --path has them."""
    found = {path: mount_unit(path) for path in ("/", "/srv/a-b/c d", "/.cache/.x/y.z", "/ä:_")}
    assert found == {
        "/": "-.mount",
        "/srv/a-b/c d": r"srv-a\x2db-c\x20d.mount",
        "/.cache/.x/y.z": r"\x2ecache-.x-y.z.mount",
        "/ä:_": r"\xc3\xa4:_.mount",
    }
    assert mount_unit("/srv/auto", "automount") == "srv-auto.automount"
