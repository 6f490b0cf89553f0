"""The program that waits until a payload listens: `run.py features.activation.program CGROUP ADDRESS PORT SECONDS`.

It looks at the kernel's table of sockets instead of connecting, which a payload would take for a client.  Started as
`python3 -SI`; systemd ends it with the container.  After SECONDS it says so and lets the proxy begin all the
same: that refuses the connections, which would else wait for ever, and have systemd try again for as long.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _socket  # the same of socket
import os
import sys
import time

_LISTEN = "0A"  # TCP_LISTEN of net/tcp_states.h
_INTERVAL_SECONDS = 0.05  # nothing tells of a new listener


def main(argv: list[str]) -> int:
    """Wait, and return the exit status."""
    cgroup, address, port = argv[1], argv[2], int(argv[3])
    _signal.signal(_signal.SIGTERM, lambda *_: os._exit(0))  # stopped with the container: no failure of the proxy's
    deadline = time.monotonic() + int(argv[4])
    while True:
        tables = _tables(cgroup)
        if tables is None:
            os.write(2, f"the container has no process that could listen on {address} port {port}\n".encode())
            return 1
        if listens(tables, address, port):
            return 0
        if time.monotonic() >= deadline:
            text = f"nothing in the container listens on {address} port {port} after {argv[4]} s"
            os.write(2, f"{text}: connections are refused until something does\n".encode())
            return 0
        time.sleep(_INTERVAL_SECONDS)


def listens(tables: str, address: str, port: int) -> bool:
    """Whether *tables*, the content of /proc/PID/net/tcp and tcp6, has a listener that *address* reaches."""
    accepted = {_hexadecimal("::"), _hexadecimal("0.0.0.0"), _hexadecimal(address)}
    if ":" not in address:
        accepted.add(_hexadecimal("::ffff:" + address))
    for line in tables.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            where, _, number = fields[1].partition(":")
            if int(number, 16) == port and where in accepted:
                return True
    return False


def _hexadecimal(address: str) -> str:
    """*address* as the kernel prints it: 32 bits at a time, in the machine's byte order."""
    packed = _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def _tables(cgroup: str) -> str | None:
    """The sockets of the network namespace of the container in *cgroup*; None if nobody is there."""
    own = os.stat("/proc/self/ns/net").st_ino
    for directory in _groups(cgroup):
        for pid in _content(f"{directory}/cgroup.procs").split():
            try:
                if os.stat(f"/proc/{pid}/ns/net").st_ino == own:
                    continue  # the helper, about to end
            except (FileNotFoundError, ProcessLookupError):
                continue
            found = _content(f"/proc/{pid}/net/tcp") + _content(f"/proc/{pid}/net/tcp6")
            if found:
                return found
    return None


def _groups(top: str) -> list[str]:
    """The cgroup at *top* and those below it, as far as paths reach."""
    found = [top]
    for path in found:
        try:
            with os.scandir(path) as entries:
                found += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:  # it is gone, or nested too deep to be looked at
            continue
    return found


def _content(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has ended, or IPv6 is switched off
