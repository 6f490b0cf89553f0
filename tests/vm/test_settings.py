"""Every key of systemd's, started once with a value of its own: what systemd then says of the unit.

The values are in `settings.py`.  What a systemd is too old for is known from nsunit's own table before anything is
started; there the key has to be refused.
"""

import ctypes
import functools
import json
import os
import platform
import re
import struct
import subprocess
from pathlib import Path

import pytest
from settings import APART, FILTERS, GONE, KERNEL, NEED_BPF_FRAMEWORK, RENAMED, shown_of, value_of

from nsunit.definition.setting import keys_of, lookup

# Ends when it is asked to: one of the keys is SendSIGKILL=no.
PROGRAM = """Rootfs=/srv/roots/busybox
Volatile=yes
Exec=/bin/sh -c 'trap "exit 0" TERM; sleep 1000 & wait'
"""
# New systemds refuse a program that has no handler for ReloadSignal=.
WATCHED = """Rootfs=/srv/roots/debian
Volatile=yes
Notify=yes
Exec=/usr/bin/python3 -c 'import os, signal, socket, time; place = os.environ["NOTIFY_SOCKET"]; \
    signal.signal(signal.SIGUSR2, lambda *_: None); \
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", place); time.sleep(1000)'
"""
SETTINGS = [(section, key) for section in ("Unit", "Slice", "Service") for key in keys_of(section)]
CONDITIONS = [(section, key) for section, key in SETTINGS if lookup(section, key).property in ("Conditions", "Asserts")]
PLAIN = [setting for setting in SETTINGS if setting not in CONDITIONS]
INSTALL = keys_of("Install")
BUS = "org.freedesktop.systemd1"
UNITS = Path("/run/systemd/system")


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=True).stdout


@functools.cache
def version():
    return int(systemctl("--version").split()[1])


def is_known(setting):
    return lookup(*setting).since <= version()


@functools.cache
def has(key):
    """Whether a slice has the property *key*; of one that is no more this systemd says nothing."""
    return bool(systemctl("show", "--property", key, "--", "-.slice"))


def is_ignored(setting):
    without = setting[1] in NEED_BPF_FRAMEWORK and "-BPF_FRAMEWORK" in systemctl("--version")
    return without or (setting[1] in GONE and not has(setting[1]))


def is_usable(setting):
    return is_known(setting) and not is_ignored(setting)


def lines(section, keys):
    return f"[{section}]\n" + "".join(f"{key}={value_of(section, key)}\n" for key in keys)


def seen_by_systemctl(unit):
    """Property to what `systemctl show` prints of it, on one line."""
    found = {}
    for line in systemctl("show", "--all", unit).splitlines():
        name, _, value = line.partition("=")
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def seen_on_the_bus(unit):
    escaped = re.sub("[^A-Za-z0-9]", lambda match: f"_{ord(match[0]):02x}", unit)
    words = ("call", BUS, f"/org/freedesktop/systemd1/unit/{escaped}", "org.freedesktop.DBus.Properties", "GetAll")
    done = subprocess.run(["busctl", "--json=short", *words, "s", ""], capture_output=True, text=True, check=True)
    return {name: value["data"] for name, value in json.loads(done.stdout)["data"][0].items()}


class Seen:
    """What systemd says of the two units of a container."""

    def __init__(self, container):
        units = {"Unit": container.service, "Service": container.service, "Slice": container.slice}
        self.printed = {section: seen_by_systemctl(unit) for section, unit in units.items()}
        self.typed = {section: seen_on_the_bus(unit) for section, unit in units.items()}


def pin_filter(path):
    """Pin a BPF program that lets everything pass: bpf(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]

    def bpf(command, attributes):
        buffer = ctypes.create_string_buffer(attributes, 128)
        result = libc.syscall(number, command, buffer, len(buffer))
        assert result >= 0, os.strerror(ctypes.get_errno())
        return result

    code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0))  # r0 = 1; exit
    license_, name = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(os.fsencode(path))
    load = struct.pack("<IIQQ", 8, 2, ctypes.addressof(code), ctypes.addressof(license_))  # BPF_PROG_TYPE_CGROUP_SKB
    program = bpf(5, load)
    bpf(6, struct.pack("<QI", ctypes.addressof(name), program))
    os.close(program)


@pytest.fixture(scope="module")
def filters():
    """What the keys with pinned BPF programs lead to."""
    if not os.path.ismount("/sys/fs/bpf"):
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
    for path in FILTERS:
        Path(path).unlink(missing_ok=True)
        pin_filter(path)
    yield
    for path in FILTERS:
        os.unlink(path)


@pytest.fixture(scope="module")
def harmless():
    """Nothing that a key asks for turns the machine off."""
    mask = UNITS / "poweroff.target"
    UNITS.mkdir(exist_ok=True)
    mask.unlink(missing_ok=True)
    mask.symlink_to("/dev/null")
    systemctl("daemon-reload")
    yield
    mask.unlink()
    systemctl("daemon-reload")


@pytest.fixture(scope="module")
def default(shared):
    """What systemd says of a container that sets nothing."""
    return Seen(shared.start("[Container]\n" + PROGRAM))


@pytest.fixture(scope="module")
def seen(shared, filters, harmless, nsunit):
    """What systemd says of a container with a value of its own for all keys of a section that go together."""

    @functools.cache
    def start(section, special):
        keys = [key for known, key in PLAIN if known == section and is_usable((section, key))]
        keys = [key for key in keys if ((section, key) in APART) == bool(special) and special in ("", key)]
        program = WATCHED if special in ("WatchdogSec", "ReloadSignal") else PROGRAM
        container = shared.start("[Container]\n" + program + lines(section, keys))
        found = Seen(container)
        nsunit("stop", container.name)
        return found

    return start


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(item, marks=[pytest.mark.kernel(KERNEL[item])] if item in KERNEL else [])
        for item in PLAIN
        if item != ("Unit", "StopWhenUnneeded")
    ],
    ids=".".join,
)
def test_systemd_has_the_value(seen, default, setting, containers, nsunit):
    section, key = setting
    if not is_usable(setting):
        name = containers.define("[Container]\n" + PROGRAM + lines(section, [key]))
        why = "would be ignored" if is_known(setting) else f"{key} needs systemd {lookup(*setting).since}, this machine"
        done = nsunit("start", name, check=False)
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
        return
    found = seen(section, key if setting in APART else "")
    property, shown = shown_of(section, key, lookup(*setting).property)
    if key == "CPUAccounting" and not has(key):
        assert property not in found.printed[section]
    elif isinstance(shown, list):
        assert found.typed[section][property] == shown != default.typed[section][property]
    else:
        printed = found.printed[section][property]
        assert set(shown.split()) <= set(printed.split())
        assert printed != default.printed[section].get(property)


@pytest.fixture(scope="module")
def tested(shared):
    """The conditions and asserts of a container with one of each kind."""
    keys = [key for _, key in CONDITIONS if is_known(("Unit", key))]
    found = seen_on_the_bus(shared.start("[Container]\n" + PROGRAM + lines("Unit", keys)).service)
    return [*found["Conditions"], *found["Asserts"]]


@pytest.mark.parametrize("key", [key for _, key in CONDITIONS])
def test_systemd_has_tested_it(tested, key, containers, nsunit):
    if not is_known(("Unit", key)):
        name = containers.define("[Container]\n" + PROGRAM + lines("Unit", [key]))
        assert f"{key} needs systemd" in nsunit("start", name, check=False).stderr
        return
    text = value_of("Unit", key)
    trigger, negate = text.startswith("|"), text.lstrip("|").startswith("!")
    prefix, kind = re.fullmatch("(Condition|Assert)(.*)", key).groups()
    since, name = RENAMED.get(kind, (0, kind))
    name = prefix + (name if version() >= since else kind)
    (entry,) = (item for item in tested if item[:4] == [name, trigger, negate, text.lstrip("|!")])
    assert trigger or entry[4] == 1


def test_a_container_that_is_not_needed_stops(containers, nsunit, run):
    """With StopWhenUnneeded= it runs as long as somebody wants it."""
    name = containers.define("[Container]\n" + PROGRAM + lines("Unit", ["StopWhenUnneeded"]))
    container = containers.of(name)
    user = UNITS / f"{name}-user.service"
    user.write_text(f"[Unit]\nWants={container.service}\n[Service]\nExecStart=/bin/sleep 1000\n")
    try:
        run("systemctl daemon-reload")
        run("systemctl", "start", user.name)
        nsunit("start", name)
        assert container.show("ActiveState", "StopWhenUnneeded") == {"ActiveState": "active", "StopWhenUnneeded": "yes"}
        run("systemctl", "stop", user.name)
        nsunit("wait", name, check=False)
        assert container.show("ActiveState") == {"ActiveState": "inactive"}
    finally:
        run("systemctl", "stop", user.name, check=False)
        user.unlink()
        run("systemctl daemon-reload")


@pytest.mark.parametrize("key", INSTALL)
def test_enable_does_what_install_says(containers, nsunit, run, key):
    if not is_known(("Install", key)):
        name = containers.define("[Container]\n" + PROGRAM + f"[Install]\n{key}=own.target\n")
        assert f"{key} needs systemd" in nsunit("enable", name, check=False).stderr
        return
    where = {"WantedBy": "wants", "RequiredBy": "requires", "UpheldBy": "upholds"}.get(key)
    links = Path("/etc/systemd/system")
    name = f"t-{key.lower()}"
    text = "[Container]\n" + PROGRAM + "[Install]\n"
    if where:
        container = containers.of(containers.define(f"{text}{key}=own.target\n", name))
        nsunit("enable", name)
        assert (links / f"own.target.{where}" / container.service).is_symlink()
    elif key == "Alias":
        container = containers.of(containers.define(f"{text}Alias=own-alias.service\n", name))
        nsunit("enable", name)
        assert "own-alias.service" in systemctl("show", "-P", "Names", container.service).split()
    else:
        containers.define(f"{text}WantedBy=own.target\nDefaultInstance=one\n", f"{name}@")
        name = containers.own(f"{name}@two")
        nsunit("enable", name)
        assert "DefaultInstance=one\n" in (links / containers.of(name).service).read_text()
    nsunit("disable", name)


@pytest.mark.kernel("nftables")
def test_the_address_of_its_link_is_chosen(containers):
    container = containers.start("[Container]\n" + PROGRAM + "Network=bridge\nMACAddress=0a:58:00:01:02:03\n")
    assert container.exec("cat", "/sys/class/net/eth0/address").stdout == "0a:58:00:01:02:03\n"
