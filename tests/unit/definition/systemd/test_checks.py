"""What does not fit together among systemd's keys is refused, with what to write."""

from __future__ import annotations

import pytest

from nsunit.definition.load import Host, load_text
from nsunit.errors import DefinitionError

HOST = Host(262)


def read(text: str) -> object:
    return load_text("web", f"[Container]\nRootfs=/r\nExec=/bin/sh\n{text}\n", "web", HOST)


NULL = "systemd itself opens /dev/null for the program, and strict forbids it"
OWN = "it has a network of its own, and systemd takes 'eth0' for an interface of the host's"
BY_ADDRESS = "leave it out, or use IPAddressAllow= and IPAddressDeny="


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "[Service]\nCPUSchedulingPriority=5",
            "[Service] CPUSchedulingPriority: only the schedulers fifo and rr have priorities",
            "add CPUSchedulingPolicy=rr, or use Nice=",
        ),
        (
            "[Service]\nCPUSchedulingPriority=5\nCPUSchedulingPolicy=batch",
            "[Service] CPUSchedulingPriority: only the schedulers fifo and rr have priorities",
            "add CPUSchedulingPolicy=rr, or use Nice=",
        ),
        (
            "[Service]\nNUMAPolicy=bind",
            "[Service] NUMAPolicy: it needs the nodes that it is about",
            "add NUMAMask=, e.g. NUMAMask=0",
        ),
        (
            "[Service]\nNUMAMask=0",
            "[Service] NUMAMask: without NUMAPolicy= it has no effect",
            "add NUMAPolicy=bind or another",
        ),
        (
            "[Service]\nNUMAPolicy=preferred\nNUMAMask=0-1",
            "[Service] NUMAMask: NUMAPolicy=preferred takes one node",
            "name one, or use another policy",
        ),
        (
            "[Service]\nCPUAffinity=numa",
            "[Service] CPUAffinity: numa needs the nodes whose CPUs are meant",
            "add NUMAPolicy=bind and NUMAMask=0",
        ),
        (
            "[Service]\nDevicePolicy=strict",
            f"[Service] DevicePolicy: {NULL}",
            "add [Service] DeviceAllow=/dev/null rw, or use closed",
        ),
        (
            "[Slice]\nDevicePolicy=strict\nDeviceAllow=/dev/full",
            f"[Slice] DevicePolicy: {NULL}",
            "add [Slice] DeviceAllow=/dev/null rw, or use closed",
        ),
        ("[Slice]\nRestrictNetworkInterfaces=lo eth0", f"[Slice] RestrictNetworkInterfaces: {OWN}", BY_ADDRESS),
        ("[Service]\nRestrictNetworkInterfaces=~eth0", f"[Service] RestrictNetworkInterfaces: {OWN}", BY_ADDRESS),
        ("[Slice]\nBindNetworkInterface=eth0", f"[Slice] BindNetworkInterface: {OWN}", BY_ADDRESS),
        (
            "[Slice]\nCPUSetPartition=root",
            "[Slice] CPUSetPartition: it needs the CPUs that it is about",
            "add AllowedCPUs=",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert (problem.message, problem.hint) == (message, hint)
    assert problem.line > 3


@pytest.mark.parametrize(
    "text",
    [
        "[Service]\nCPUSchedulingPriority=5\nCPUSchedulingPolicy=rr",
        "[Service]\nCPUSchedulingPolicy=fifo",
        "[Service]\nCPUSchedulingPriority=0",
        "[Service]\nNUMAPolicy=local",
        "[Service]\nNUMAPolicy=weighted-interleave\nNUMAMask=0",
        "[Service]\nNUMAMask=0\nCPUAffinity=numa",
        "[Service]\nDevicePolicy=strict\nDeviceAllow=/dev/null rw",
        "[Slice]\nDevicePolicy=strict\nDeviceAllow=char-mem rw",
        "[Slice]\nRestrictNetworkInterfaces=lo",
        "[Slice]\nCPUSetPartition=root\nAllowedCPUs=0",
        "[Slice]\nCPUSetPartition=member",
        "Network=host\n[Slice]\nRestrictNetworkInterfaces=~eth0\nBindNetworkInterface=eth0",
    ],
)
def test_what_fits_is_taken(text: str) -> None:
    read(text)
