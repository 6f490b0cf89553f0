#!/bin/bash
# dockerfile-parse: a line of Python in a here-document is the base image, and gets changed with it
#
# Versions: dockerfile-parse 2.0.1 (PyPI).
#
# Expected: what a Containerfile means to BuildKit and buildah: a here-document is the text of its RUN or COPY, and ${A:-d} is
# d if A is not set.  The README knows of neither, nor names what it leaves out; the module says nothing either.
#
# Seen: each line of a here-document is an instruction.  In this file
#     FROM debian
#     ENV A=1
#     LABEL set=${A:-0} unset=${B:-d}
#     RUN <<EOF python3
#     from pathlib import Path
#     EOF
#     COPY <<EOF /etc/motd
#     cmd is your friend
#     EOF
# baseimage is "pathlib", is_multistage is true, and there are no labels and no variables, as if they were of another stage.
# cmd is "is your friend".  After baseimage = "fedora", the line of Python is "FROM fedora", and FROM is still debian.
# Without the here-documents, the label set is "1:-0}" and unset ":-d}".
#
# Where it matters: programs that keep base images up to date, or check from where they come: the new digest is in a script,
# and the build's base is the old one.
#
# Needs: python3 with pip, PyPI.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'dockerfile-parse==2.0.1'

cat >"$tmp/show.py" <<'EOP'
import io

from dockerfile_parse import DockerfileParser

HEAD = """FROM debian
ENV A=1
LABEL set=${A:-0} unset=${B:-d}
"""
DOCUMENTS = """RUN <<EOF python3
from pathlib import Path
EOF
COPY <<EOF /etc/motd
cmd is your friend
EOF
"""


def parsed(text):
    parser = DockerfileParser(fileobj=io.BytesIO())
    parser.content = text
    return parser


parser = parsed(HEAD)
print("without:", parser.baseimage, parser.is_multistage, parser.envs, parser.labels, parser.cmd)
parser = parsed(HEAD + DOCUMENTS)
print("with:", parser.baseimage, parser.is_multistage, parser.envs, parser.labels, parser.cmd)
parser.baseimage = "fedora"
print("then:", [line for line in parser.lines if "debian" in line or "fedora" in line or "pathlib" in line])
EOP
"$tmp/venv/bin/python" "$tmp/show.py" 2>&1 | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
without: debian False {'A': '1'} {'set': '1:-0}', 'unset': ':-d}'} None
with: pathlib True {} {} is your friend
then: ['FROM debian\n', 'FROM fedora\n']
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
