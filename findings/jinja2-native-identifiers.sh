#!/bin/bash
# Jinja2's native types: of abbreviated commit ids, one is infinity and one a number, and a comment at the end of a text is gone
#
# Versions: Jinja2 3.1.6 (PyPI).
#
# Expected: NativeEnvironment gives back what a template's value is: `{{ x }}` of a text is that text, and what is made of
# several parts is text; numbers stay numbers.
#
# Seen: a result that is text is read as a Python literal if it is one, though `{{ x }}` alone was given a text:
#   12e4567         inf                        1234567      the number; 0000000 is 0, and 0000001 stays a text
#   3_10            310                        3.10         3.1; so is {{ 3 }}.{{ 10 }}, of two numbers
#   80 # a port     80                         "1,2"        a tuple; 80:80 and 2024-10-11 stay texts
#   1-2j            a complex number           ...          Ellipsis; None, True and 'quoted' lose their kind as well
# ast.literal_eval() reads it, by Python's rules, so that neither YAML's nor JSON's idea of a number tells what happens.
# The plain Environment has texts for all, and `|string` doesn't help; the same with text around it stays a text.
#
# Where it matters: image tags, versions, commit ids and passwords in the variables of a tool that renders natively (Ansible's
# jinja2_native, workflow engines): it works for most ids, and one build in some thousands has the tag inf.
#
# Needs: python3 with pip, PyPI.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'jinja2==3.1.6'

cat >"$tmp/show.py" <<'EOP'
from jinja2 import Environment
from jinja2.nativetypes import NativeEnvironment

TEXTS = ("12e4567", "1234567", "0000000", "0000001", "3_10", "3.10", "80 # a port", "1,2", "80:80", "2024-10-11", "1-2j", "...",
         "None", "'quoted'")
native, plain = NativeEnvironment(), Environment()
for text in TEXTS:
    print(f"{text}: {native.from_string('{{ x }}').render(x=text)!r}")
print("plain:", all(plain.from_string("{{ x }}").render(x=text) == text for text in TEXTS))
for template in ("{{ 3 }}.{{ 10 }}", "{{ '12e4567'|string }}", "it:{{ '12e4567' }}"):
    print(f"{template}: {native.from_string(template).render()!r}")
EOP
"$tmp/venv/bin/python" "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
12e4567: inf
1234567: 1234567
0000000: 0
0000001: '0000001'
3_10: 310
3.10: 3.1
80 # a port: 80
1,2: (1, 2)
80:80: '80:80'
2024-10-11: '2024-10-11'
1-2j: (1-2j)
...: Ellipsis
None: None
'quoted': 'quoted'
plain: True
{{ 3 }}.{{ 10 }}: 3.1
{{ '12e4567'|string }}: inf
it:{{ '12e4567' }}: 'it:12e4567'
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
