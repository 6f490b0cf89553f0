"""Who finds whom by name: hosts files that follow starts and stops, and the resolver's."""

import os
import signal
from pathlib import Path

import pytest

DEBIAN = "/srv/roots/debian"


def definition(*lines, network="bridge"):
    keys = (f"Layer={DEBIAN}", "Volatile=yes", f"Network={network}", "Exec=/usr/bin/sleep infinity", "Init=yes")
    return "\n".join(("[Container]", *keys, *lines, ""))


def addresses(container, name):
    """What a name is for a program in the container: the C library's answer, IPv4."""
    answer = container.exec("getent", "ahostsv4", name, check=False).stdout.split()
    return answer[0] if answer else None


def own_address(container):
    return addresses(container, container.name)


def others(container):
    """The lines of the container's hosts file but the first: localhost and its own."""
    lines = (container.root / "etc/hosts").read_text().splitlines()
    return [line for line in lines[2:] if container.name not in line.split()]


@pytest.fixture(scope="module")
def web(shared):
    return shared.start(definition("AddHost=printer:192.0.2.9 printer:[2001:db8::9]"))


def test_containers_find_each_other_as_they_come_and_go(web, shared, nsunit, run):
    before = others(web)
    inode = os.stat(f"/run/nsunit/network/{web.name}/hosts").st_ino
    assert before == ["192.0.2.9 printer", "2001:db8::9 printer"]
    db = shared.start(definition("NetworkAlias=database store", "Hostname=db.example.org", "Register=yes"))
    for name in (db.name, "database", "store", "db.example.org"):
        assert addresses(web, name) == own_address(db), name
    assert addresses(db, web.name) == own_address(web)
    # nss-mymachines asks for just that; its result is a list of (family, address).
    call = "busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager"
    octets = own_address(db).replace(".", " ")
    assert f" 2 4 {octets}" in run(f"{call} GetMachineAddresses s {db.name}").stdout
    assert addresses(db, "printer") is None  # that is the other one's affair
    os.kill(db.pid, signal.SIGKILL)
    run(f"systemctl stop {db.service}", check=False)  # waits for what comes after its end
    assert others(web) == before
    nsunit("stop", db.name)  # systemd forgets that it has failed
    nsunit("enable", "--now", db.name)
    assert addresses(web, "database") == own_address(db)
    assert addresses(db, web.name) == own_address(web)
    nsunit("enable", db.name)  # once more, while it runs: its file stays the one that is bound
    assert addresses(db, web.name) == own_address(web)
    run(f"systemctl restart {db.service}")
    assert addresses(web, "database") == own_address(db)
    assert addresses(db, web.name) == own_address(web)
    nsunit("disable", "--now", db.name)
    assert others(web) == before
    assert os.stat(f"/run/nsunit/network/{web.name}/hosts").st_ino == inode
    assert os.listdir("/run/nsunit/connected") == [web.name]


def test_a_hosts_file_of_ones_own_is_left_alone(web, shared, workplace, nsunit):
    own = workplace / "hosts"
    own.write_text("127.0.0.1 localhost\n192.0.2.77 mine\n")
    own.chmod(0o644)
    container = shared.start(definition(f"BindReadOnly={own}:/etc/hosts"))
    assert (container.root / "etc/hosts").read_text() == own.read_text() == "127.0.0.1 localhost\n192.0.2.77 mine\n"
    assert addresses(web, container.name)
    nsunit("stop", container.name)


def test_a_changed_file_is_found_and_put_right(web, nsunit):
    path = Path(f"/run/nsunit/network/{web.name}/hosts")
    right = path.read_text()
    path.write_text("192.0.2.66 printer\n")
    checked = nsunit("network", "check", check=False)
    assert checked.returncode == 1
    assert f"{web.name}: its hosts file does not name the others as it should" in checked.stdout
    nsunit("network", "repair")
    assert (web.root / "etc/hosts").read_text() == right
    assert nsunit("network", "check").stdout == "nothing is wrong\n"


def test_the_resolver_asks_whom_it_is_told_to(web, shared, nsunit):
    host = Path("/etc/resolv.conf").read_text()
    assert (web.root / "etc/resolv.conf").read_text() == host
    lines = ("DNS=192.0.2.53 2001:db8::53", "DNSSearch=shop.example", "DNSOption=ndots:2")
    told = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch shop.example\noptions ndots:2\n"
    for network in ("bridge", "host"):
        container = shared.start(definition(*lines, network=network))
        assert (container.root / "etc/resolv.conf").read_text() == told
        nsunit("stop", container.name)
    untold = shared.start(definition("AddHost=printer:192.0.2.9", network="none"))
    # Without an address of its own it has none of others either, says getaddrinfo(3) to those who ask like that.
    assert untold.exec("getent", "hosts", "printer").stdout.split() == ["192.0.2.9", "printer"]
    assert (untold.root / "etc/hosts").read_text().splitlines()[2] == f"127.0.1.1 {untold.name}"
    assert "resolv.conf" not in untold.proc("mountinfo")
    nsunit("stop", untold.name)
    assert not os.path.exists(f"/run/nsunit/network/{untold.name}")
