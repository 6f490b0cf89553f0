#!/bin/bash
# PyYAML's two parsers say differently that a scalar has no quotes: None in Python, '' with libyaml
#
# Versions: PyYAML 6.0.2 (PyPI), with the libyaml that its wheel has.
#
# Expected: SafeLoader and CSafeLoader are two implementations of one parser, and the usual advice is to take the second
# where it is there.  The nodes and events that they make of a text are the same, as far as their fields tell.
#
# Seen: the `style` of a scalar without quotes is None in nodes and events of SafeLoader, and '' in those of
# CSafeLoader.  Of quoted scalars, literals and folded ones both have the same character; `flow_style` agrees as well.
#
# Where it matters: `node.style is None` asks whether a scalar is plain, to read `yes` or 22:22 as YAML 1.2 does and
# "true" as a text.  With the one loader it works, with the other no scalar is plain: all booleans and numbers are texts.
#
# Needs: python3 with venv, and PyPI.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'pyyaml==6.0.2'

cat >"$tmp/show.py" <<'EOP'
import yaml

TEXT = "plain: true\nquoted: 'true'\ndouble: \"true\"\nliteral: |\n  true\n"
print("PyYAML", yaml.__version__, "with libyaml" if yaml.__with_libyaml__ else "without libyaml")
for loader in (yaml.SafeLoader, yaml.CSafeLoader):
    styles = [repr(value.style) for _, value in yaml.compose(TEXT, Loader=loader).value]
    print(f"{loader.__name__:11} plain, quoted, double, literal: {', '.join(styles)}")
EOP
"$tmp/venv/bin/python" "$tmp/show.py" | tee "$tmp/out"

expect() {
    if ! grep -qxF -- "$1" "$tmp/out"; then
        echo "CHANGED: no longer: $1"
        exit 1
    fi
}
expect "PyYAML 6.0.2 with libyaml"
expect "SafeLoader  plain, quoted, double, literal: None, \"'\", '\"', '|'"
expect "CSafeLoader plain, quoted, double, literal: '', \"'\", '\"', '|'"
echo "as described"
