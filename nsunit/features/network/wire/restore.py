"""Putting back what was lost of bridges and links, while what works goes on working."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.features.network.wire import bandwidth, devices, links, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from nsunit.features.network.model.attachment import Attachment, Network


def networks(broken: Iterable[Network], locks: str) -> None:
    """Make the bridges of *networks*, and what the host needs for them, as they should be.

    Raises:
        NsunitError: that of one cannot be made; those of all others have been.
    """
    failures = []
    with program.locked(locks):
        for network in broken:
            try:
                links.ensure_bridge(network)
            except NsunitError as error:
                failures.append(NsunitError(f"network '{network.name}': {error}", hint=error.hint))
    if failures:
        raise failures[0]


def ends(item: Attachment, locks: str) -> None:
    """Put the links of *item*, which are there, on their bridges as they should be.

    Raises:
        NsunitError: the kernel refused it.
    """
    with program.locked(locks):
        route = links.Route()
        for interface in item.interfaces:
            links.plug(interface, route)
        route.close()


def inside(item: Attachment, namespace: str) -> None:
    """Put right what is wrong inside with the devices of *item*, which runs, and its rates, as far as that goes.

    Raises:
        NsunitError: a device cannot be made again; all else has been put right.
    """
    failures = []
    namespace_fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        lost = links.inside(namespace_fd, lambda: "\n".join(_gone(state.links(), item))).splitlines()
        there = [device for device in item.devices if device.name not in lost]
        for device in item.devices:
            if device.name in lost:
                try:
                    devices.make_again(device, item.container, namespace_fd)
                    there.append(device)
                except NsunitError as error:
                    failures.append(error)
        if there:
            links.configure(tuple(there), namespace_fd, again=True)
        if item.egress or item.ingress:
            bandwidth.apply(item, namespace_fd)
    finally:
        os.close(namespace_fd)
    if failures:
        raise failures[0]


def _gone(there: Container[str], item: Attachment) -> list[str]:
    """Names of the devices of *item* that are not *there*."""
    return [device.name for device in item.devices if device.name not in there]
