"""Networks: subnets that nobody else has, and what is kept of them."""

import errno
import json
import os
from pathlib import Path

import pytest

from nsunit.core.context import Context
from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.definition.search import SearchPath
from nsunit.errors import DefinitionError, NotFoundError, NsunitError, UsageError
from nsunit.features.network import deeds, networks, register
from nsunit.features.network.deeds import assign
from nsunit.features.network.model import attachment
from nsunit.features.network.register import attachments, existing_attachment
from nsunit.storage.paths import Paths


class Quiet(Context):
    """Without a bus."""

    host = Host(257)


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "_routes", lambda _: [])
    monkeypatch.setattr(networks, "ula_prefix", lambda: "fd00:1:2")
    search = SearchPath((str(tmp_path / "etc"), str(tmp_path / "run"), str(tmp_path / "usr")))
    for directory in search.directories:
        (tmp_path / directory).mkdir()
    return Quiet(search, Paths(str(tmp_path / "runtime"), str(tmp_path / "state")))


def join(context, name, *addresses):
    """Have a container in a network."""
    joined = networks.resolve(context, name)
    item = attachment.Attachment("web", (attachment.Interface(joined, "eth0", "nv-web", "0a:", addresses),))
    directory = f"{context.paths.networks}/web"
    networks.files.make_private_directory(directory)
    content = json.dumps(attachment.to_json(item)).encode()
    networks.files.write_file(f"{directory}/attachment", content)


def test_chosen_subnets_stay(context):
    networks.create(context, "one", [])
    networks.create(context, "two", ["Domain=two"])
    first = networks.resolve(context, "one")
    assert first.subnets == ("10.92.0.0/24", "fd00:1:2:1::/64")
    assert first.gateways == ("10.92.0.1", "fd00:1:2:1::1")
    assert networks.resolve(context, "two").subnets[0] == "10.92.1.0/24"
    assert networks.resolve(context, "one") == first
    assert [one.name for one in networks.records(context)] == ["bridge", "one", "two"]
    networks.remove(context, "one")
    assert networks.resolve(context, "two").subnets[0] == "10.92.1.0/24"
    networks.create(context, "three", [])
    assert networks.resolve(context, "three").subnets[0] == "10.92.0.0/24"


def test_what_is_only_defined_counts_too(context):
    networks.create(context, "wide", ["Subnet=10.92.0.0/17"])
    networks.create(context, "one", [])
    assert networks.resolve(context, "one").subnets[0] == "10.92.128.0/24"
    message = r"network 'all': 10.0.0.0/9 overlaps 10.91.0.0/24 of the default network"
    with pytest.raises(NsunitError, match=message):
        networks.create(context, "all", ["Subnet=10.0.0.0/9"])
    with open(f"{context.search.directories[0]}/all.network.nsunit", "w", encoding="utf-8") as file:
        file.write("[Network]\nSubnet=10.0.0.0/9\n")
    with pytest.raises(NsunitError, match=message):
        networks.resolve(context, "all")
    networks.remove(context, "all")
    networks.remove(context, "one")
    networks.create(context, "rest", ["Subnet=10.92.128.0/17"])
    networks.create(context, "late", [])
    with pytest.raises(NsunitError, match=r"network 'late': no subnet of 10.92.0.0/16 is free") as caught:
        networks.resolve(context, "late")
    assert caught.value.hint == "add a [Network] Subnet= to it"


def test_routes_of_the_host(context, monkeypatch):
    monkeypatch.setattr(networks, "_routes", lambda _: [(networks.parse_subnet("10.30.0.0/24"), "eth9")])
    networks.create(context, "one", ["Subnet=10.30.0.0/16"])
    with pytest.raises(NsunitError, match=r"10.30.0.0/16 overlaps 10.30.0.0/24, which the host reaches by 'eth9'"):
        networks.resolve(context, "one")


def test_a_change_waits_until_nobody_is_in_it(context, tmp_path, monkeypatch):
    networks.create(context, "one", [])
    join(context, "one", "10.92.0.2/24")
    (tmp_path / "etc/one.network.nsunit").write_text("[Network]\nMTU=9000\n")
    message = "the network 'one' has another definition by now than 'web' is connected with"
    with pytest.raises(NsunitError, match=message) as caught:
        networks.resolve(context, "one")
    assert caught.value.hint == "stop or disable these first: web"
    ((_, one), (inside, who)) = networks.overview(context)
    assert (one, inside.mtu, [item.container for item in who]) == ([], 1500, ["web"])
    with pytest.raises(NsunitError, match="the network 'one' has containers: web"):
        networks.remove(context, "one")
    runs = True
    monkeypatch.setattr(networks, "is_running", lambda _context, name: runs and name == "web")
    with pytest.raises(NsunitError, match=message):
        networks.resolve(context, "one", "web")  # it is enabled while it runs
    runs = False
    assert networks.resolve(context, "one", "web").mtu == 9000
    networks.files.remove_tree(f"{context.paths.networks}/web")
    assert networks.resolve(context, "one").mtu == 9000


def test_of_two_who_make_one_the_second_is_refused(context, monkeypatch):
    """Whoever looks whether there is one has the lock until it is there."""
    seen = []

    class Noted(networks.Lock):
        def __enter__(self):
            seen.append("locked")
            return super().__enter__()

        def __exit__(self, *exception):
            seen.append("released")
            super().__exit__(*exception)

    def noting(what, real):
        return lambda *arguments, **options: seen.append(what) or real(*arguments, **options)

    monkeypatch.setattr(networks, "Lock", Noted)
    monkeypatch.setattr(networks, "list_networks", noting("looked", networks.list_networks))
    monkeypatch.setattr(networks.unit_directory, "write", noting("written", networks.unit_directory.write))
    networks.create(context, "one", [])
    assert seen == ["locked", "looked", *seen[2:-2], "written", "released"]


def test_names(context):
    for name, message in (("bridge", "'bridge' is nsunit's own"), ("A", "'A' is not the name of a network")):
        with pytest.raises(UsageError, match=message):
            networks.create(context, name, [])
    networks.create(context, "one", [])
    with pytest.raises(NsunitError, match="the network 'one' is defined already by .*/etc/one.network.nsunit"):
        networks.create(context, "one", [])
    with pytest.raises(DefinitionError, match=r"Subnet: 'x' is not a subnet"):
        networks.create(context, "two", ["Subnet=x"])
    with pytest.raises(NotFoundError, match="the network 'on' is not defined") as missing:
        networks.remove(context, "on")
    assert missing.value.hint == "did you mean 'one'?"
    with pytest.raises(UsageError, match="'bridge' is nsunit's own") as own:
        networks.remove(context, "bridge")
    assert "prune" in own.value.hint
    assert networks.bridge_name("shop") == "nb-shop"
    long = networks.bridge_name("a" * 40)
    assert long.startswith("nb-") and len(long) == 15 and long != networks.bridge_name("b" * 40)  # noqa: PT018


def test_definitions_of_packages_stay(context, tmp_path):
    path = tmp_path / "usr/one.network.nsunit"
    path.write_text("[Network]\n")
    assert networks.remove(context, "one") == [str(path)]
    assert path.exists()


def test_what_is_kept_goes_with_the_definition(context, tmp_path):
    networks.create(context, "one", [])
    networks.resolve(context, "one")
    networks.forget_undefined(context, set())
    assert networks.record_of(context, "one")
    (tmp_path / "etc/one.network.nsunit").unlink()
    networks.forget_undefined(context, {"one"})
    assert networks.record_of(context, "one")
    networks.forget_undefined(context, set())
    assert networks.record_of(context, "one") is None


def container(*lines):
    text = "\n".join(("[Container]", "Rootfs=/r", "ReadOnly=yes", "Exec=/a", *lines, ""))
    return load_text("web", text, "web.nsunit", Host(257)).container


def reserve(context, name, *lines):
    """What a start does; the directory goes with the container."""
    directory, keeper = context.paths.network_of(name), context.paths.state_of(name)
    for path in (directory, keeper):
        networks.files.make_private_directory(path)
    try:
        return assign(context, name, container(*lines), keeper, directory)
    except BaseException:
        release(context, name)
        raise


def release(context, name):
    networks.files.remove_tree(context.paths.network_of(name))


def test_what_is_remembered_is_written_where_it_has_changed(context, monkeypatch):
    """On a disk that is full a container starts again, which has all that it needs."""
    reserve(context, "web", "Network=bridge")
    keeper = context.paths.state_of("web")

    def refuse(path, *_rest, **_options):
        if path.startswith(keeper):
            raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(networks.files, "write_file", refuse)
    reserve(context, "web", "Network=bridge")
    with pytest.raises(OSError, match="No space left"):
        networks.files.write_changed(f"{keeper}/addresses", b"{}")


def test_a_container_without_ipv6(context, monkeypatch):
    networks.create(context, "both", ["Subnet=10.9.0.0/28", "Subnet=fd09::/64"])
    networks.create(context, "six", ["Subnet=fd08::/64"])
    off = "net.ipv6.conf.all.disable_ipv6"
    assert len(reserve(context, "web", "Network=both").addresses) == 2
    item = reserve(context, "web2", "Network=both", f"Sysctl={off}=1")
    assert (item.addresses, item.interfaces[0].gateways) == (("10.9.0.3/28",), ("10.9.0.1",))
    assert item.interfaces[0].network.has_six  # others in it have
    with pytest.raises(NsunitError) as caught:
        reserve(context, "web3", "Network=six", f"Sysctl={off}=1")
    assert str(caught.value) == f"web3: the network 'six' has IPv6 alone, which Sysctl={off}=1 switches off"
    assert caught.value.hint == "add a [Network] Subnet= of IPv4"
    monkeypatch.setattr(deeds, "has_six", lambda: False)
    assert reserve(context, "web4", "Network=both").addresses == ("10.9.0.4/28",)
    with pytest.raises(NsunitError, match="IPv6 alone, which the kernel's command line .ipv6.disable=1. switches off"):
        reserve(context, "web5", "Network=six")


def test_starts_at_the_same_time_get_different_addresses(context):
    networks.create(context, "small", ["Subnet=10.9.0.0/28"])

    def start(number):
        try:
            reserve(context, f"web{number}", "Network=small", "Network=bridge")
        except NsunitError as error:
            os._exit(0 if "the network 'small' has no address left" in str(error) else 2)
        os._exit(1)

    children = []
    for number in range(20):
        children.append(os.fork())
        if not children[-1]:
            start(number)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(ended) == [0] * 7 + [1] * 13  # 16 less the network's own, the broadcast and the router's
    found = [address for item in attachments(context) for address in item.addresses]
    assert len(found) == len(set(found)) == 39  # with those of the default network, IPv6 included
    assert len({link for item in attachments(context) for link in item.links}) == 26


def test_an_address_is_freed_once(context):
    networks.create(context, "small", ["Subnet=10.9.0.0/29"])
    for name in "abcde":
        reserve(context, name, "Network=small")
    with pytest.raises(NsunitError, match="f: the network 'small' has no address left") as caught:
        reserve(context, "f", "Network=small")
    assert caught.value.hint == "stop a container that is in it, or give it a larger subnet than 10.9.0.0/29"
    release(context, "c")
    assert reserve(context, "f", "Network=small").addresses == ("10.9.0.4/29",)
    with pytest.raises(NsunitError, match="c: the network 'small' has no address left"):
        reserve(context, "c", "Network=small")
    release(context, "a")
    assert reserve(context, "c", "Network=small").addresses == ("10.9.0.2/29",)


def test_static_addresses(context):
    networks.create(context, "small", ["Subnet=10.9.0.0/29"])
    item = reserve(context, "a", "Network=small:mac=0a:00:00:00:00:01", "Address=10.9.0.5", "MTU=1400")
    assert (item.addresses, item.interfaces[0].mac) == (("10.9.0.5/29",), "0a:00:00:00:00:01")
    assert item.interfaces[0].mtu == 1400
    with pytest.raises(NsunitError, match="b: Address=: '10.9.0.5' is that of 'a'") as caught:
        reserve(context, "b", "Network=small:address=10.9.0.5")
    assert caught.value.hint == "network 'small' has 10.9.0.0/29"
    with pytest.raises(NsunitError, match="b: Address=: '10.8.0.5' is in no subnet of the network 'small'"):
        reserve(context, "b", "Network=small:address=10.8.0.5")


def test_a_bridge_that_is_full(context, monkeypatch):
    monkeypatch.setattr(deeds, "_links_on", lambda _: 1023)
    with pytest.raises(NsunitError, match="the bridge 'nsunit0' has 1,023 links, and the kernel allows no more"):
        reserve(context, "a", "Network=bridge")


def test_ports_need_a_way_in(context):
    networks.create(context, "inside", ["Internal=yes"])
    with pytest.raises(NsunitError, match="a: PublishPort=: no port leads into 'inside' or 'macvlan:eth0'"):
        reserve(context, "a", "Network=inside", "Network=macvlan:eth0", "PublishPort=80:80")


def test_a_broken_record(context, tmp_path):
    networks.create(context, "one", [])
    networks.resolve(context, "one")
    (tmp_path / "state/networks/one").write_text("{")
    with pytest.raises(NsunitError, match="is not the record of a network") as caught:
        networks.resolve(context, "one")
    assert caught.value.hint == "'nsunit doctor --repair' has it made anew"


def test_a_broken_record_is_made_anew(context, tmp_path):
    """As the containers in it have it; and without any it goes."""
    networks.create(context, "one", [])
    join(context, "one", "10.92.0.2/24")
    path = tmp_path / "state/networks/one"
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    Path(f"{path}.4194305.new").touch()  # a write that was killed, which doctor finds as such
    assert networks.spoiled_records(context) == [str(path)]
    networks.mend_record(context, str(path))
    assert path.read_bytes() == whole
    networks.mend_record(context, str(path))  # somebody else was quicker
    assert networks.spoiled_records(context) == []
    (tmp_path / "runtime/network/web/attachment").unlink()
    path.write_bytes(b"")
    networks.mend_record(context, str(path))
    assert not path.exists()


def test_errors_of_a_network_name_the_container(context):
    container = load_text("web", "[Container]\nRootfs=/r\nExec=/a\nNetwork=one\n", "web.nsunit", Host(257)).container
    with pytest.raises(NotFoundError, match="web: the network 'one' is not defined") as caught:
        assign(context, "web", container, "/missing", "/missing")
    assert caught.value.hint == "make it with 'nsunit network create one'"


def test_a_container_without_an_attachment(context, tmp_path, monkeypatch):
    def not_running(_, name):
        raise NotFoundError(f"{name}: it is not running")

    monkeypatch.setattr(register, "find_running", not_running)
    with pytest.raises(NotFoundError, match="container 'web' is not defined"):
        existing_attachment(context, "web")
    (tmp_path / "etc/web.nsunit").write_text("[Container]\n")
    with pytest.raises(NotFoundError, match="web: it is not running"):
        existing_attachment(context, "web")
    monkeypatch.setattr(register, "find_running", lambda *_: None)
    with pytest.raises(NotFoundError, match="web: it is not connected to a network that nsunit makes"):
        existing_attachment(context, "web")
    networks.create(context, "one", [])
    join(context, "one", "10.92.0.2/24")
    assert existing_attachment(context, "web").addresses == ("10.92.0.2/24",)


def test_a_removal_that_fails_is_done_by_the_same_command(context, tmp_path, monkeypatch):
    """The definition had gone, its drop-ins were left, and the second one said that it is not defined."""
    networks.create(context, "one", [])
    (tmp_path / "etc/one.network.nsunit.d").mkdir()

    def refuse(_path):
        raise OSError(errno.EBUSY, "Device or resource busy")

    with monkeypatch.context() as busy, pytest.raises(OSError, match="busy"):
        busy.setattr(networks.files, "remove_tree", refuse)
        networks.remove(context, "one")
    assert networks.remove(context, "one") == []
    assert list((tmp_path / "etc").iterdir()) == []


def test_a_network_may_be_called_like_a_file_under_way(context):
    """Its subnet was chosen again for another one: its record counted for a write that was killed."""
    networks.create(context, "web.new", [])
    networks.create(context, "two", [])
    first = networks.resolve(context, "web.new").subnets
    assert not {*first} & {*networks.resolve(context, "two").subnets}
    path = f"{context.paths.network_records}/two.{os.getpid()}.new"
    Path(path).write_text("{")
    assert networks.spoiled_records(context) == []
    assert [one.name for one in networks.records(context)] == ["bridge", "two", "web.new"]
