#!/bin/bash
# tmpfs: hard links and extended attributes are counted for nr_inodes, so one file uses up all of them
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: tmpfs(5): nr_inodes is "the maximum number of inodes for this instance".  A hard link is one more name of an inode
# that is there, and an attribute is a part of one.
#
# Seen, of a tmpfs with nr_inodes=20, of which the root is one:
#   one file, and links to it          18 links, then ENOSPC: two inodes can be seen, and statvfs(3) has 20 used.
#   five links are removed             15 are used.
#   one file, attributes of 200 bytes  ENOSPC before there are 100 of them: again two can be seen, and 20 are used.  Attributes
#                                      are counted by their bytes, with their names and what the kernel needs for each, and
#                                      each 1024 bytes are an inode.
# Files of other names can't be made then.  For ext4, xfs and btrfs a link takes no inode.
#
# Where it matters: a small tmpfs with a limit of inodes, as for a container's /run, or as the upper layer of an overlay, which
# gives attributes to what it copies up; `cp -al`, and what keeps one file under many names.  It says "No space left on
# device", `df -h` has all the space, and who counts the files finds two.
#
# Needs: root, python3, unshare, Linux 6.6 (for the attributes).
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import errno
import itertools
import os
import subprocess
import sys

here = sys.argv[1] + "/mounted"

def until_full(do):
    for number in itertools.count():
        try:
            do(number)
        except OSError as error:
            return number, errno.errorcode[error.errno]

def used():
    seen = {os.lstat(here).st_ino, *(entry.stat().st_ino for entry in os.scandir(here))}
    now = os.statvfs(here)
    free = 100 * now.f_bavail // now.f_blocks
    return f"{len(seen)} inodes seen, {now.f_files - now.f_ffree} of {now.f_files} used, {free} % of the space free"

def mounted(title, do):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=20,size=10m", "tmpfs", here], check=True)
    open(here + "/file", "w").close()
    number, error = until_full(do)
    print(f"{title}: {number if number < 20 else 'less than 100' if number < 100 else 'more'}, then {error}; {used()}", flush=True)

os.mkdir(here)
mounted("links", lambda number: os.link(here + "/file", f"{here}/{number}"))
for number in range(5):
    os.unlink(f"{here}/{number}")
print("five removed:", used())
subprocess.run(["umount", here], check=True)
mounted("attributes", lambda number: os.setxattr(here + "/file", f"trusted.a{number:03}", bytes(200)))
try:
    open(here + "/other", "w").close()
    print("another file: made")
except OSError as error:
    print("another file:", errno.errorcode[error.errno])
os.unlink(here + "/file")
print("removed:", used())
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --mount python3 "$tmp/show.py" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
links: 18, then ENOSPC; 2 inodes seen, 20 of 20 used, 100 % of the space free
five removed: 2 inodes seen, 15 of 20 used, 100 % of the space free
attributes: less than 100, then ENOSPC; 2 inodes seen, 20 of 20 used, 100 % of the space free
another file: ENOSPC
removed: 1 inodes seen, 1 of 20 used, 100 % of the space free
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
