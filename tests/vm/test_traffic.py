"""What passes and what does not, shown by packets: ports by range, UDP and SCTP, forged frames.

`outside` is another host: a network namespace with a link to this one, which is 192.0.2.1 to it.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from outside import HOST, HOST6, other_host
from waiting import wait_until

pytestmark = pytest.mark.anywhere("what the kernel's rules let through")

DEBIAN = "/srv/roots/debian"
LAYER = Path("/var/tmp/traffic-test")
KINDS = "tcp=socket.SOCK_STREAM, udp=socket.SOCK_DGRAM, sctp=socket.SOCK_STREAM"
# Listens at each PROTOCOL:PORT, and answers with its name, the port and the client's address.
SERVER = f"""\
import select, socket, sys
kinds = dict({KINDS})
listening = {{}}
for word in sys.argv[1:]:
    protocol, port = word.split(":")
    one = socket.socket(socket.AF_INET6, kinds[protocol], 132 if protocol == "sctp" else 0)
    one.bind(("::", int(port)))
    one.type == socket.SOCK_STREAM and one.listen()
    listening[one] = f"{{socket.gethostname()}} {{port}} "
open("/tmp/listens", "w")
while True:
    for one in select.select(listening, [], [])[0]:
        if one.type == socket.SOCK_DGRAM:
            _, client = one.recvfrom(100)
            one.sendto((listening[one] + client[0].removeprefix("::ffff:")).encode(), client)
        else:
            connection, client = one.accept()
            connection.sendall((listening[one] + client[0].removeprefix("::ffff:")).encode())
            connection.close()
"""
CLIENT = f"""\
import socket, sys
kinds = dict({KINDS})
protocol, address, port = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
one = socket.socket(family, kinds[protocol], 132 if protocol == "sctp" else 0)
one.settimeout(4)
try:
    one.connect((address, int(port)))
    protocol == "udp" and one.send(b"?")
    print(one.recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""
# One that never pauses: it sends all the time from the same port, and tells each new answer.
SENDER = """\
import socket, sys, time
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
one.settimeout(0.05)
last = b""
while True:
    try:
        one.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
        answer = one.recv(100)
        if answer != last:
            print(answer.decode(), flush=True)
        last = answer
    except OSError:
        time.sleep(0.05)
"""


@pytest.fixture(scope="module", autouse=True)
def program():
    LAYER.mkdir()
    (LAYER / "server.py").write_text(SERVER)
    (LAYER / "listener.py").write_text(LISTENER)
    yield
    shutil.rmtree(LAYER)


@pytest.fixture(scope="module")
def outside(run):
    """How a command begins that is for the other host."""
    with other_host(run) as python:
        yield python


def serving(listening, *lines):
    keys = (f"Layer={LAYER}", f"Layer={DEBIAN}", "Volatile=yes", "Network=bridge", "Init=yes")
    return "\n".join(("[Container]", *keys, f"Exec=/usr/bin/python3 /server.py {listening}", *lines, ""))


def listens(container):
    wait_until((container.root / "tmp/listens").exists, f"{container.name} listens")


def ask(outside, protocol, address, port):
    words = (*outside, CLIENT, protocol, address, str(port))
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.kernel("nftables")
def test_ranges_and_udp(containers, outside, nsunit):
    container = containers.start(
        serving(
            "tcp:9000 tcp:9001 tcp:9002 udp:53 udp:9003",
            "PublishPort=8600-8602:9000-9002 8653:53/udp 8700-8701:9002-9003/udp",
            "Hostname=server",
        )
    )
    listens(container)
    for address, own in ((HOST, "192.0.2.2"), (HOST6, "2001:db8::2")):
        led = [("tcp", 8600 + offset, 9000 + offset) for offset in range(3)] + [("udp", 8653, 53), ("udp", 8701, 9003)]
        for protocol, host, inside in led:
            assert ask(outside, protocol, address, host) == f"server {inside} {own}"
        for protocol, host in (("tcp", 8603), ("tcp", 8653), ("udp", 8602), ("udp", 8700)):
            assert ask(outside, protocol, address, host) == "ConnectionRefusedError"
    assert len(nsunit("port", container.name).stdout.splitlines()) == 6


@pytest.mark.machine("kernel modules and NAT")
def test_sctp(containers, outside, run):
    run("modprobe sctp")
    container = containers.start(serving("sctp:9000", "PublishPort=8610:9000/sctp", "Hostname=server"))
    listens(container)
    for address, own in ((HOST, "192.0.2.2"), (HOST6, "2001:db8::2")):
        assert ask(outside, "sctp", address, 8610) == f"server 9000 {own}"
    assert ask(outside, "tcp", HOST, 8610) == "ConnectionRefusedError"


@pytest.mark.kernel("nftables")
def test_a_sender_of_udp_that_never_pauses_is_served(containers, outside, nsunit, tmp_path):
    """The kernel leads all packets of a sender where it has led the first one, so it has to forget those."""
    ours = ("python3", "-c")
    places = ((outside, HOST), (outside, HOST6), (ours, HOST), (ours, "127.0.0.1"), (ours, "::1"))
    logs = [tmp_path / str(number) for number in range(len(places))]
    senders = []
    for (words, address), log in zip(places, logs, strict=True):
        with log.open("w") as file:
            senders.append(subprocess.Popen((*words, SENDER, address, "8620"), stdout=file))

    def all_hear_of(name):
        return all(log.read_text().split("\n")[-2:][0].startswith(name) for log in logs)

    def flows():
        """Where the senders' packets lead, as the kernel has noted it."""
        lines = Path("/proc/net/nf_conntrack").read_text().splitlines()
        return [line.split("src=")[2].split()[0] for line in lines if "dport=8620" in line]

    def all_lead_to_the_host():
        return len(flows()) >= len(senders) and not any(where.startswith("10.91.0.") for where in flows())

    try:
        for name, number in (("one", 201), ("two", 202), ("three", 203)):
            # Each has another address, as after a start in which somebody else had its last one.
            address = f"Address=10.91.0.{number}"
            container = containers.start(serving("udp:53", "PublishPort=8620:53/udp", f"Hostname={name}", address))
            wait_until(lambda name=name: all_hear_of(name), f"'{name}' answers all")
            nsunit("stop", container.name)
            wait_until(all_lead_to_the_host, f"nothing leads to '{name}' any more")
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()


FORGER = r"""
import socket, struct, sys, time
own, router = sys.argv[1:]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("eth0", 0))
mac = open("/sys/class/net/eth0/address").read().split()[0]
packed = lambda text: bytes.fromhex(text.replace(":", ""))
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
def six(source, target, target_mac, source_mac, kind, body):
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    message = bytes((kind, 0, 0, 0)) + body
    total = checksum(ends + struct.pack("!II", len(message), 58) + message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(message), 58, 255)
    return packed(target_mac) + packed(source_mac) + b"\x86\xdd" + head + ends + message
everyone, everyones_mac = "ff02::1", "33:33:00:00:00:01"
advert = struct.pack("!BBHII", 64, 0, 1800, 0, 0)  # I am a router
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 7200, 7200, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
echo = struct.pack("!HH", 7, 7) + b"marked: "
link.send(six(own, everyone, everyones_mac, mac, 134, advert + prefix))
link.send(six(own, everyone, everyones_mac, "02:00:00:00:00:99", 128, echo + b"forged mac!!"))
link.send(six(router, everyone, everyones_mac, mac, 128, echo + b"forged ip!!!"))
arp = struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + packed("02:00:00:00:00:99") + bytes((10, 91, 0, 1))
link.send(packed("ff:ff:ff:ff:ff:ff") + packed(mac) + b"\x08\x06" + arp + packed(mac) + bytes((10, 91, 0, 1)))
link.send(packed("ff:ff:ff:ff:ff:ff") + packed(mac) + b"\x88\xb5" + b"marked: neither IP".ljust(50))
link.send(six(own, everyone, everyones_mac, mac, 128, echo + b"honest......"))
"""
LISTENER = r"""
import socket
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.bind(("eth0", 3))
open("/tmp/listens", "w")
while True:
    data = link.recv(2000)
    kind = "router advert" if data[12:14] == b"\x86\xdd" and data[20] == 58 and data[54] == 134 else ""
    kind = kind or ("forged arp" if data[12:14] == b"\x08\x06" and data[22:28] == b"\x02\0\0\0\0\x99" else "")
    if kind or b"marked: " in data:
        with open("/tmp/heard", "a") as file:
            file.write((kind or data.partition(b"marked: ")[2].decode().rstrip(".\0 ")) + "\n")
"""


@pytest.mark.kernel("nftables")
def test_forged_frames_are_heard_by_nobody(containers):
    """Of frames with another's MAC or address, and of a router that is none, only the honest one arrives."""
    listener = containers.start(serving("", "Capability=+NET_RAW").replace("/server.py", "/listener.py"))
    listens(listener)
    forger = containers.start(serving("udp:53", "Capability=+NET_RAW"))
    own = forger.exec("sh", "-c", "cat /proc/net/if_inet6").stdout
    local = next(line.split()[0] for line in own.splitlines() if line.startswith("fe80"))
    local = ":".join(local[at : at + 4] for at in range(0, 32, 4))
    names = [line.split() for line in (listener.root / "etc/hosts").read_text().splitlines()]
    other = next(words[0] for words in names if words[0].startswith("fd") and listener.name in words)
    forger.exec("python3", "-c", FORGER, local, other)
    heard = listener.root / "tmp/heard"
    wait_until(lambda: heard.exists() and heard.read_text().endswith("honest\n"), "the honest one arrives")
    assert heard.read_text() == "honest\n"
