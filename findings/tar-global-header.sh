#!/bin/bash
# A global extended header of a tar archive: bsdtar leaves it out, and GNU tar forgets it at the next one
#
# Versions: tar 1.35+dfsg-3.1, libarchive-tools 3.7.4-4+deb13u1, python3.13 3.13.5-2+deb13u5 (Debian 13).
#
# Expected: POSIX, pax, "pax Header Block": the records of a typeflag g header hold for all files after it; one that comes
# later changes the keywords that it names.  GNU tar's manual has --pax-option=KEYWORD=VALUE to write such a header.
#
# Seen, of files of 2001 in archives that GNU tar has made, without a word:
#   --pax-option=mtime=1234567890: GNU tar and Python give the files that time; bsdtar lists and extracts those of 2001.
#   the same with an archive behind it (tar --concatenate) whose global header has only a comment: Python gives all files
#       the time; GNU tar the first archive's alone, as the second header takes the place of the whole first one.
# So the same two files have three pairs of times.
#
# Where it matters: archives made reproducible that way are so for their own tool only; and a comment, such as git writes
# into a global header, changes what the files after it are.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='tar=1.35+dfsg-3.1,libarchive-tools=3.7.4-4+deb13u1,python3.13=3.13.5-2+deb13u5,base-files,dash,coreutils' \
    trixie "$tree"

cat >"$tree/times.py" <<'EOP'
import sys, tarfile
print(*(f"{member.name}={int(member.mtime)}" for member in tarfile.open(sys.argv[1])))
EOP
cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C TZ=UTC0
mkdir /work /out; cd /work
for name in a b; do echo $name >$name; touch -d @1000000000 $name; done
tar --format=pax --pax-option=mtime=1234567890 -cf /time.tar a
tar --format=pax --pax-option=comment=text -cf /comment.tar b
cp /time.tar /both.tar
tar --concatenate -f /both.tar /comment.tar

# of ARCHIVE: the times that each tool gives its files
of() {
    for tool in tar bsdtar; do
        rm -rf /out/*
        $tool -xf "/$1.tar" -C /out 2>/said
        echo "$1, $tool: $(cd /out && stat -c %n=%Y -- * | tr '\n' ' ')messages $(wc -l </said)"
    done
    echo "$1, python: $(python3.13 /times.py "/$1.tar")"
}
of time
of both
EOP
chroot "$tree" sh /show | tee "$tmp/out"

for line in "time, tar: a=1234567890 messages 0" "time, bsdtar: a=1000000000 messages 0" \
    "time, python: a=1234567890" "both, tar: a=1234567890 b=1000000000 messages 0" \
    "both, bsdtar: a=1000000000 b=1000000000 messages 0" "both, python: a=1234567890 b=1234567890"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
