"""Resource control: text → D-Bus, as bus-unit-util.c computes it."""

from __future__ import annotations

import pytest

from nsunit.definition.setting import lookup
from nsunit.definition.values import Properties
from nsunit.definition.words import ValueProblem
from nsunit.units import Property

INFINITY = 2**64 - 1
V4 = (2, bytes(4), 0)
V6 = (10, bytes(16), 0)

VALUES = [
    ("CPUAccounting", "yes", "CPUAccounting", "b", True),
    ("MemoryAccounting", "Off", "MemoryAccounting", "b", False),
    ("CPUWeight", "100", "CPUWeight", "t", 100),
    ("CPUWeight", "idle", "CPUWeight", "t", 0),
    ("StartupCPUWeight", "10000", "StartupCPUWeight", "t", 10000),
    ("CPUQuota", "30%", "CPUQuotaPerSecUSec", "t", 300_000),
    ("CPUQuota", "250%", "CPUQuotaPerSecUSec", "t", 2_500_000),
    ("CPUQuota", "12.5%", "CPUQuotaPerSecUSec", "t", 125_000),
    ("CPUQuota", "0.01%", "CPUQuotaPerSecUSec", "t", 100),
    ("CPUQuota", "125‰", "CPUQuotaPerSecUSec", "t", 125_000),
    ("CPUQuota", "1250‱", "CPUQuotaPerSecUSec", "t", 125_000),
    ("CPUQuotaPeriodSec", "10ms", "CPUQuotaPeriodUSec", "t", 10_000),
    ("AllowedCPUs", "0-3,8", "AllowedCPUs", "ay", b"\x0f\x01\0\0\0\0\0\0"),
    ("AllowedCPUs", "64", "AllowedCPUs", "ay", bytes(8) + b"\x01" + bytes(7)),
    ("AllowedCPUs", "1 3 5", "AllowedCPUs", "ay", b"\x2a" + bytes(7)),
    ("AllowedMemoryNodes", "0", "AllowedMemoryNodes", "ay", b"\x01" + bytes(7)),
    ("MemoryMax", "1G", "MemoryMax", "t", 1 << 30),
    ("MemoryMax", "1.5G", "MemoryMax", "t", 3 << 29),
    ("MemoryMax", "1G 512M", "MemoryMax", "t", 3 << 29),
    ("MemoryMax", "20971520", "MemoryMax", "t", 20 << 20),
    ("MemoryMax", "10 K", "MemoryMax", "t", 10240),
    ("MemoryMax", "infinity", "MemoryMax", "t", INFINITY),
    ("MemoryMax", "50%", "MemoryMaxScale", "u", 2147483648),
    ("MemoryMax", "100%", "MemoryMaxScale", "u", 2**32 - 1),
    ("MemoryHigh", "33.33%", "MemoryHighScale", "u", 1431512599),
    ("MemoryLow", "0", "MemoryLow", "t", 0),
    ("MemoryMin", "5%", "MemoryMinScale", "u", 214748365),
    ("DefaultMemoryLow", "10%", "DefaultMemoryLowScale", "u", 429496730),
    ("MemorySwapMax", "0", "MemorySwapMax", "t", 0),
    ("MemoryZSwapMax", "64M", "MemoryZSwapMax", "t", 64 << 20),
    ("StartupMemoryMax", "2G", "StartupMemoryMax", "t", 2 << 30),
    ("MemoryPressureWatch", "on", "MemoryPressureWatch", "s", "yes"),
    ("MemoryPressureWatch", "skip", "MemoryPressureWatch", "s", "skip"),
    ("MemoryPressureThresholdSec", "150ms", "MemoryPressureThresholdUSec", "t", 150_000),
    ("TasksMax", "512", "TasksMax", "t", 512),
    ("TasksMax", "infinity", "TasksMax", "t", INFINITY),
    ("TasksMax", "50%", "TasksMaxScale", "u", 2147483648),
    ("IOWeight", "200", "IOWeight", "t", 200),
    ("IODeviceWeight", "/dev/sda 200", "IODeviceWeight", "a(st)", (("/dev/sda", 200),)),
    ("IOReadBandwidthMax", "/dev/sda 5M", "IOReadBandwidthMax", "a(st)", (("/dev/sda", 5_000_000),)),
    ("IOWriteIOPSMax", "/dev/sda 1K", "IOWriteIOPSMax", "a(st)", (("/dev/sda", 1000),)),
    ("IOReadIOPSMax", "/dev/sda infinity", "IOReadIOPSMax", "a(st)", (("/dev/sda", INFINITY),)),
    ("IODeviceLatencyTargetSec", "/dev/sda 25ms", "IODeviceLatencyTargetUSec", "a(st)", (("/dev/sda", 25_000),)),
    ("IPAddressAllow", "10.0.0.0/8", "IPAddressAllow", "a(iayu)", ((2, b"\x0a\0\0\0", 8),)),
    ("IPAddressAllow", "192.168.1.1", "IPAddressAllow", "a(iayu)", ((2, b"\xc0\xa8\x01\x01", 32),)),
    ("IPAddressAllow", "fd00::/8", "IPAddressAllow", "a(iayu)", ((10, b"\xfd" + bytes(15), 8),)),
    ("IPAddressDeny", "any", "IPAddressDeny", "a(iayu)", (V4, V6)),
    (
        *("IPAddressAllow", "localhost 10.1.2.3/32", "IPAddressAllow", "a(iayu)"),
        ((2, b"\x7f\0\0\0", 8), (10, bytes(15) + b"\x01", 128), (2, b"\x0a\x01\x02\x03", 32)),
    ),
    (
        *("IPAddressAllow", "link-local", "IPAddressAllow", "a(iayu)"),
        ((2, b"\xa9\xfe\0\0", 16), (10, b"\xfe\x80" + bytes(14), 64)),
    ),
    (
        *("IPAddressAllow", "multicast", "IPAddressAllow", "a(iayu)"),
        ((2, b"\xe0\0\0\0", 4), (10, b"\xff" + bytes(15), 8)),
    ),
    ("SocketBindAllow", "ipv4:tcp:8000-8080", "SocketBindAllow", "a(iiqq)", ((2, 6, 81, 8000),)),
    ("SocketBindAllow", "udp:53", "SocketBindAllow", "a(iiqq)", ((0, 17, 1, 53),)),
    ("SocketBindAllow", "ipv6", "SocketBindAllow", "a(iiqq)", ((10, 0, 0, 0),)),
    ("SocketBindDeny", "any", "SocketBindDeny", "a(iiqq)", ((0, 0, 0, 0),)),
    ("RestrictNetworkInterfaces", "lo eth0", "RestrictNetworkInterfaces", "(bas)", (True, ("lo", "eth0"))),
    ("RestrictNetworkInterfaces", "~eth1", "RestrictNetworkInterfaces", "(bas)", (False, ("eth1",))),
    ("NFTSet", "cgroup:inet:filter:web", "NFTSet", "a(iiss)", ((3, 1, "filter", "web"),)),
    ("NFTSet", "user:ip6:t:s cgroup:ip:t:s", "NFTSet", "a(iiss)", ((4, 10, "t", "s"), (3, 2, "t", "s"))),
    ("IPIngressFilterPath", "/sys/fs/bpf/in", "IPIngressFilterPath", "as", ("/sys/fs/bpf/in",)),
    ("BPFProgram", "egress:/sys/fs/bpf/x", "BPFProgram", "a(ss)", (("egress", "/sys/fs/bpf/x"),)),
    ("DeviceAllow", "/dev/fuse rw", "DeviceAllow", "a(ss)", (("/dev/fuse", "rw"),)),
    ("DeviceAllow", "/dev/null", "DeviceAllow", "a(ss)", (("/dev/null", ""),)),
    ("DeviceAllow", "char-pts rwm", "DeviceAllow", "a(ss)", (("char-pts", "rwm"),)),
    ("DeviceAllow", "block-* r", "DeviceAllow", "a(ss)", (("block-*", "r"),)),
    ("DevicePolicy", "strict", "DevicePolicy", "s", "strict"),
    ("ManagedOOMSwap", "kill", "ManagedOOMSwap", "s", "kill"),
    ("ManagedOOMMemoryPressureLimit", "60%", "ManagedOOMMemoryPressureLimit", "u", 2576980377),
    ("ManagedOOMMemoryPressureDurationSec", "20s", "ManagedOOMMemoryPressureDurationUSec", "t", 20_000_000),
    ("ManagedOOMPreference", "avoid", "ManagedOOMPreference", "s", "avoid"),
    ("DisableControllers", "cpu io", "DisableControllers", "as", ("cpu", "io")),
    ("Delegate", "yes", "Delegate", "b", True),
    ("Delegate", "no", "Delegate", "b", False),
    ("Delegate", "cpu memory pids", "DelegateControllers", "as", ("cpu", "memory", "pids")),
]

WRONG = [
    ("CPUAccounting", "maybe", "'maybe' is neither yes nor no"),
    ("CPUWeight", "0", "'0' is not a weight"),
    ("CPUWeight", "10001", "'10001' is not a weight"),
    ("IOWeight", "idle", "'idle' is not a weight"),
    ("CPUQuota", "30", "'30' is not a percentage"),
    ("CPUQuota", "0%", "'0%' is too little"),
    ("CPUQuota", "12.345%", "'12.345%' is not a percentage"),
    ("CPUQuota", "-5%", "'-5%' is not a percentage"),
    ("CPUQuota", "%", "'%' is not a percentage"),
    ("CPUQuota", "٣0%", "'٣0%' is not a percentage"),
    ("AllowedCPUs", "3-1", "'3-1' is not a number or range"),
    ("AllowedCPUs", "a", "'a' is not a number or range"),
    ("AllowedCPUs", "1-", "'1-' is not a number or range"),
    ("AllowedCPUs", "8192", "'8192' is too high a number"),
    ("MemoryMax", "1X", "'1X' is not a size"),
    ("MemoryMax", "", "'' is not a size"),
    ("MemoryMax", "-1", "'-1' is not a size"),
    ("MemoryMax", "1M 1G", "'1M 1G' is not a size"),
    ("MemoryMax", "1_000", "'1_000' is not a size"),
    ("MemoryMax", "１G", "'１G' is not a size"),
    ("MemoryMax", "0", "'0' is too little"),
    ("MemoryMax", "101%", "'101%' is more than 100%"),
    ("MemoryMax", "16E", "'16E' is too large a size"),
    ("StartupMemoryMax", "50%", "'50%' is a percentage, which systemd takes for this key in unit files only"),
    ("TasksMax", "0", "'0' is not a number of tasks"),
    ("TasksMax", "1K", "'1K' is not a number of tasks"),
    ("TasksMax", "100%", "'100%' is out of range"),
    ("IODeviceWeight", "/dev/sda", "'/dev/sda' is not a path and a value"),
    ("IODeviceWeight", "sda 10", "'sda' is not an absolute path"),
    ("IOReadBandwidthMax", "/dev/sda 0", "'/dev/sda 0' is too little"),
    ("IOReadBandwidthMax", "/dev/../etc 1M", "'/dev/../etc' contains '..'"),
    ("IODeviceLatencyTargetSec", "/dev/sda x", "'x' is not a time span"),
    ("IPAddressAllow", "10.0.0/8", "'10.0.0/8' is not an IP address or prefix"),
    ("IPAddressAllow", "10.0.0.0/33", "'10.0.0.0/33' has no prefix length from 0 to 32"),
    ("IPAddressAllow", "fd00::/129", "'fd00::/129' has no prefix length from 0 to 128"),
    ("SocketBindAllow", "tcp:0", "'tcp:0' has a port out of range"),
    ("SocketBindAllow", "70000", "'70000' has a port out of range"),
    ("SocketBindAllow", "sctp:1", "'sctp:1' is not a bind rule"),
    ("RestrictNetworkInterfaces", "a/b", "'a/b' is not the name of a network interface"),
    ("RestrictNetworkInterfaces", "12", "'12' is not the name of a network interface"),
    ("BindNetworkInterface", "~eth0", "'~eth0' is not the name of a network interface"),
    ("BindNetworkInterface", "eth0 eth1", "'eth0 eth1' is not the name of a network interface"),
    ("NFTSet", "cgroup:inet:filter", "'cgroup:inet:filter' is not an NFT set"),
    ("NFTSet", "cgroup:inet:1:web", "'1' is not an NFT name"),
    ("BPFProgram", "x:/sys/fs/bpf/a", "'x:/sys/fs/bpf/a' is not TYPE:PATH"),
    ("DeviceAllow", "/etc/passwd r", "'/etc/passwd' is not a device node"),
    ("DeviceAllow", "/dev/sda rx", "'/dev/sda rx' is not a device and rights"),
    ("DeviceAllow", "/dev/sda r w", "'/dev/sda r w' is not a device and rights"),
    ("DevicePolicy", "open", "'open' is not one of its values"),
    ("ManagedOOMMemoryPressureDurationSec", "500ms", "'500ms' is out of range"),
    ("ManagedOOMMemoryPressureLimit", "5", "'5' is not a percentage"),
    ("MemoryPressureWatch", "perhaps", "'perhaps' is not one of its values"),
    ("DisableControllers", "gpu", "'gpu' is not a controller"),
    ("Delegate", "gpu", "'gpu' is neither yes, no nor a controller"),
]


@pytest.mark.parametrize(("key", "text", "name", "signature", "value"), VALUES)
def test_text_becomes_the_property_that_systemd_takes(
    key: str, text: str, name: str, signature: str, value: object
) -> None:
    setting = lookup("Service", key)
    assert setting is not None
    parsed = setting.parse(text)
    expected = Property(name, signature, value)
    if isinstance(parsed, Properties):
        assert parsed == (expected,)
    else:
        assert Property(setting.property, setting.signature, parsed) == expected
        assert type(parsed) is type(value)


@pytest.mark.parametrize(("key", "text", "message"), WRONG)
def test_a_wrong_value_is_quoted_with_what_is_wrong(key: str, text: str, message: str) -> None:
    setting = lookup("Service", key)
    assert setting is not None
    with pytest.raises(ValueProblem) as caught:
        setting.parse(text)
    assert caught.value.message == message


def test_a_size_hint_says_what_to_write() -> None:
    setting = lookup("Slice", "MemoryMax")
    assert setting is not None
    with pytest.raises(ValueProblem) as caught:
        setting.parse("1X")
    assert caught.value.hint == "use bytes or K, M, G, T, e.g. 512M"
