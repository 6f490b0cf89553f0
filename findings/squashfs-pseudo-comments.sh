#!/bin/bash
# From unsquashfs -pf to mksquashfs -pf, files and whole directories whose names begin with "#" are lost; exit 0
#
# Versions: squashfs-tools 1:4.6.1-1 (Debian 13).
#
# Expected: `unsquashfs -pf` writes a pseudo file of which mksquashfs makes the image again, so the names in it are written
# as mksquashfs reads them; blanks, quotes and backslashes are, with a backslash before them.
#
# Seen:
#   a file "#file"                    its line begins with "#", which is a comment; the file is not in the second image.
#   a directory "#recycle"            neither it nor anything below it is.
#   a directory "dir/#below"          it is there: its line begins with "dir".
#   in the line, with a backslash     mksquashfs takes "\#file" as that name, so it could have been written so.
# Both programs exit with 0 and say nothing.
#
# Where it matters: -pf is the way to change owners, modes or names in an image without being root, by sed between the two
# programs.  "#recycle" and "#snapshot" are what storage appliances call their directories, "#name#" what Emacs saves.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='squashfs-tools=1:4.6.1-1,base-files,dash,coreutils,findutils,sed' trixie "$tree"

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
mkdir -p /work/source/dir/#below /work/source/#recycle
cd /work/source
for name in file '#file' 'sp ace' 'qu"ote' dir/#below/it '#recycle/it'; do echo "$name" >"$name"; done
cd ..
# names IMAGE: what is in it
names() {
    unsquashfs -quiet -no-progress -d "out-$1" "$1" >/dev/null
    echo "$1: $(cd "out-$1" && find . -mindepth 1 | sort | tr '\n' ,)"
}
mksquashfs source first -quiet -no-progress
names first
unsquashfs -quiet -no-progress -pf list first >said 2>&1 && echo "unsquashfs: exit 0, says $(wc -l <said) lines"
mksquashfs - second -pf list -quiet -no-progress >said 2>&1 && echo "mksquashfs: exit 0, says $(wc -l <said) lines"
names second
# The lines of entries end where the data begins.
sed '/^#$/,$ ! s/^#/\\#/' list >escaped
mksquashfs - third -pf escaped -quiet -no-progress
names third
EOP
chroot "$tree" sh /show | tee "$tmp/out"

all='./#file,./#recycle,./#recycle/it,./dir,./dir/#below,./dir/#below/it,./file,./qu"ote,./sp ace,'
cat >"$tmp/expected" <<EOP
first: $all
unsquashfs: exit 0, says 0 lines
mksquashfs: exit 0, says 0 lines
second: ./dir,./dir/#below,./dir/#below/it,./file,./qu"ote,./sp ace,
third: $all
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
