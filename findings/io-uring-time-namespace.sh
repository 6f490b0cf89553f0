#!/bin/bash
# io_uring: an absolute timeout is on the host's clock, not on that of the time namespace in which it was read
#
# Versions: Linux 6.18.
#
# Expected: io_uring_enter(2): with IORING_TIMEOUT_ABS, a timeout ends when its clock has the value that was given.
# time_namespaces(7): CLOCK_MONOTONIC and CLOCK_BOOTTIME have an offset for all calls of a process in the namespace.
#
# Seen, of waits until 0.5 s from now, by the clock that the process reads:
#                                         the host's clock   a clock that is 3 s ahead   one that is 3 s behind
#   io_uring, IORING_TIMEOUT_ABS          0.5 s              3.5 s                       at once, with ETIME
#   the same, IORING_TIMEOUT_BOOTTIME     0.5 s              3.5 s                       at once, with ETIME
#   io_uring, the timeout of a link       0.5 s              3.5 s                       at once, with ECANCELED of the read
#   clock_nanosleep, timerfd              0.5 s              0.5 s                       0.5 s
#
# Where it matters: a container that CRIU has brought to another host is in a time namespace, whose clocks are ahead or behind
# by hours or days; so is one that a runtime has made with `linux.timeOffsets`.  Of an event loop that has io_uring wake it
# at absolute times no timer comes for days, or all come at once.
#
# Needs: root, python3 3.8 or newer, unshare with --monotonic, io_uring that is not disabled.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import mmap
import os
import struct
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
SETUP, ENTER, GETEVENTS = 425, 426, 1
READ, TIMEOUT, LINK_TIMEOUT = 22, 11, 15
LINK = 1 << 2
ABSOLUTE, BOOTTIME = 1, 1 << 2
ABSTIME = 1  # of clock_nanosleep and timerfd
NS = 10**9

parameters = bytearray(120)
ring = libc.syscall(SETUP, 8, (ctypes.c_char * 120).from_buffer(parameters))
if ring < 0:
    raise OSError(ctypes.get_errno(), "io_uring_setup")
sq_entries, cq_entries = struct.unpack_from("2I", parameters, 0)
sq = struct.unpack_from("7I", parameters, 40)  # head, tail, mask, entries, flags, dropped, array
cq = struct.unpack_from("6I", parameters, 80)  # head, tail, mask, entries, overflow, entries themselves
size = max(sq[6] + sq_entries * 4, cq[5] + cq_entries * 16)
rings = mmap.mmap(ring, size)
entries = mmap.mmap(ring, sq_entries * 64, offset=0x10000000)
buffer = ctypes.create_string_buffer(8)
reader, writer = os.pipe()

def value(at):
    return struct.unpack_from("I", rings, at)[0]

def timespec(when):
    return ctypes.create_string_buffer(struct.pack("qq", *divmod(when, NS)))

def submit(*requests):
    """Submit requests of (opcode, flags, fd, address, length, more flags); returns the results, by number."""
    tail = value(sq[1])
    for number, (opcode, flags, fd, address, length, more) in enumerate(requests):
        index = (tail + number) & value(sq[2])
        fields = (opcode, flags, 0, fd, 0, ctypes.addressof(address), length, more, number)
        struct.pack_into("BBHiQQIIQ", entries, index * 64, *fields)
        struct.pack_into("I", rings, sq[6] + 4 * index, index)
    struct.pack_into("I", rings, sq[1], tail + len(requests))
    if libc.syscall(ENTER, ring, len(requests), len(requests), GETEVENTS, None, 0) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_enter")
    head, found = value(cq[0]), {}
    for at in range(head, value(cq[1])):
        number, result = struct.unpack_from("Qi", rings, cq[5] + 16 * (at & value(cq[2])))
        found[number] = errno.errorcode.get(-result, result)
    struct.pack_into("I", rings, cq[0], value(cq[1]))
    return found

def alone(when, flags):
    return submit((TIMEOUT, 0, -1, timespec(when), 1, flags))[0]

def linked(when):
    return submit((READ, LINK, reader, buffer, 1, 0), (LINK_TIMEOUT, 0, -1, timespec(when), 1, ABSOLUTE))[0]

def timerfd(when):
    timer = libc.timerfd_create(time.CLOCK_MONOTONIC, 0)
    libc.timerfd_settime(timer, ABSTIME, struct.pack("qqqq", 0, 0, *divmod(when, NS)), None)
    return len(os.read(timer, 8))

for title, clock, wait in (
    ("io_uring", time.CLOCK_MONOTONIC, lambda when: alone(when, ABSOLUTE)),
    ("io_uring, boot time", time.CLOCK_BOOTTIME, lambda when: alone(when, ABSOLUTE | BOOTTIME)),
    ("io_uring, of a link", time.CLOCK_MONOTONIC, linked),
    ("clock_nanosleep", time.CLOCK_MONOTONIC, lambda when: libc.clock_nanosleep(1, ABSTIME, timespec(when), None)),
    ("timerfd", time.CLOCK_MONOTONIC, timerfd),
):
    begin = time.clock_gettime_ns(clock)
    result = wait(begin + NS // 2)
    taken = (time.clock_gettime_ns(clock) - begin) / NS
    seen = "at once" if taken < 0.4 else "0.5 s" if taken < 2.5 else "3.5 s"
    print(f"  {title}: {seen}, {result}", flush=True)
EOP
for offset in 0 3 -3; do
    echo "ahead by $offset:"
    unshare --time --monotonic="$offset" --boottime="$offset" --fork --kill-child timeout 60 python3 "$tmp/show.py"
done | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
ahead by 0:
  io_uring: 0.5 s, ETIME
  io_uring, boot time: 0.5 s, ETIME
  io_uring, of a link: 0.5 s, ECANCELED
  clock_nanosleep: 0.5 s, 0
  timerfd: 0.5 s, 8
ahead by 3:
  io_uring: 3.5 s, ETIME
  io_uring, boot time: 3.5 s, ETIME
  io_uring, of a link: 3.5 s, ECANCELED
  clock_nanosleep: 0.5 s, 0
  timerfd: 0.5 s, 8
ahead by -3:
  io_uring: at once, ETIME
  io_uring, boot time: at once, ETIME
  io_uring, of a link: at once, ECANCELED
  clock_nanosleep: 0.5 s, 0
  timerfd: 0.5 s, 8
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
