#!/bin/sh
# What systemd executes when a connected container has ended: `detach.sh FILE COMMAND…`.  The command detaches it, unless
# FILE is gone, as it is when `nsunit stop` has done so: see program.py.  A Python would take four times as long to see
# that.  Who detaches it has FILE locked, and is waited for; flock(1) by itself would make a file that is gone.
{ command exec 3<"$1"; } 2>/dev/null || exit 0
/usr/bin/flock 3
test -e "$1" || exit 0
shift
exec "$@"
