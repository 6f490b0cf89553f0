#!/bin/bash
# A hard link that has its data in the archive: for Python's tarfile the archive ends there
#
# Versions: tar 1.35+dfsg-3.1, libarchive-tools 3.7.4-4+deb13u1, python3.13 3.13.5-2+deb13u5 (Debian 13).
#
# Expected: POSIX, pax, lets a hard link (typeflag 1) of the pax format have a size and contents, which its option
# "linkdata" writes; only for ustar is there none.  Who doesn't want them skips them.
#
# Seen, of a file, a hard link to it with the same data, and another file, each with its extended header:
#   bsdtar: all three, exit 0.
#   tar: all three, but exit 2 and "Skipping to next header": it doesn't skip the data, and looks for what comes next.
#   tarfile of Python: the file and the link, no error; what comes after is not there.  It takes the data for a header,
#       and a header that is none for the end of the archive.  (ignore_zeros=True, which is for other faults, has all.)
#
# Where it matters: what reads archives of others with tarfile has the beginning of some, and a success.  Data that
# happens to be a header would be one.  The size of a link has to be looked at, and what is left after the last member.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='tar=1.35+dfsg-3.1,libarchive-tools=3.7.4-4+deb13u1,python3.13=3.13.5-2+deb13u5,base-files,dash,coreutils,sed' \
    trixie "$tree"

cat >"$tree/write.py" <<'EOP'
import io, tarfile

with tarfile.open("/it.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    for name, kind in (("file", tarfile.REGTYPE), ("link", tarfile.LNKTYPE), ("other", tarfile.REGTYPE)):
        member = tarfile.TarInfo(name)
        member.type, member.size, member.pax_headers = kind, 5, {"comment": name}
        member.linkname = "file" if kind == tarfile.LNKTYPE else ""
        archive.addfile(member, io.BytesIO(b"text\n"))
EOP
cat >"$tree/read.py" <<'EOP'
import tarfile

for ignore_zeros in (False, True):
    with tarfile.open("/it.tar", ignore_zeros=ignore_zeros) as archive:
        print(f"tarfile, ignore_zeros={ignore_zeros}:", *archive.getnames())
EOP
cat >"$tree/show" <<'EOP'
export LC_ALL=C
python3.13 /write.py
for tool in bsdtar tar; do
    mkdir /$tool
    $tool -xf /it.tar -C /$tool 2>/said
    echo "$tool: exit $?, $(cd /$tool && echo *)"
    sed 's/^/    /' /said
done
python3.13 /read.py
EOP
chroot "$tree" sh /show | tee "$tmp/out"

for line in "bsdtar: exit 0, file link other" "tar: exit 2, file link other" "    tar: Skipping to next header" \
    "tarfile, ignore_zeros=False: file link" "tarfile, ignore_zeros=True: file link other"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
