"""`EnvironmentFile=` and `Environment=`: what is read is what processes of systemd get from the same file."""

import random
import re
from pathlib import Path

from counts import count

from nsunit.errors import NsunitError
from nsunit.features.environment_files.deeds import variables

KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIB\n+/==\n-----END PRIVATE KEY-----\n"
COUNT = count("ENVIRONMENTS")  # files
SEED = 20
# Written by hand, one file a line: what people have in such files, and each branch of systemd's reader.
TEXTS = r"""
\n
A
A=
A=1
=A
==A
A==
A=1\nA=2\n
 A = b c \n
A\t=\tb\n
A B=1\nC=2\n
1A=1\nB=2\n
CONFIG={"a": ["b"]}\n
MOTD=it's fine\n
KEY="-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIB\n+/==\n-----END PRIVATE KEY-----\n"\nB=1\n
KEY='-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIB\n+/==\n-----END PRIVATE KEY-----\n'\nB=1\n
T=a\tb\n
N=a\xc2\xa0b\n
A=a'b'"c"\n
A="x" "y"\n
A="a" tail\n
A='a'tail  \n
A='a' 'b' "c"\\ d\n
A=""\n
A='' \n
A=" "\n
export A=1\nB=2\n
A=$B ${C} `d`\n
A="\\$ \\` \\" \\\\ \\n \\a"\n
A=\\$ \\n \\\\ \\'\n
A=a\\\nb\n
A=\\\n  b\n
A="a\\\nb"\n
A='a\\\nb'\n
A='open\nB=1\n
A="open\n
A="a\\
A=a\\
A=a \\
A=a \x20
A='a' \x20
A=\\
# a\n;b\n #c\n\t;d\nA=#e\nB=a #b\n
# a\\ b\nA=1\n
A=1\r\nB=2\r\n
A=1\rB=2\r
A="1\r\n2"\r\nB=2
A=a\\\r\nb\n
\xef\xbb\xbfA=1\nB=2\n
\xc3\x84=1\nB=\xc3\xa4\n
A=\x1b[1m\x07\x7f\xc2\x85\xe2\x80\xa8\nB=1\n
A=\xc2\xa0\nB=\xe3\x80\x80b\xe3\x80\x80\n
A=a\x0bb\x0c\n
a.b=1\nB=2
A=a\x00b\n
A=\xef\xb7\x90\n
A=\xef\xbf\xbe\n
\xef\xbf\xbeA=1\n
A=\xef\xbf\xbd\xf4\x8f\xbf\xbd\n
A=\xff\n
# caf\xe9\nA=1\n
\xe4=1\nA=1\n
A=1\nno \xe4 assignment\n
A='\xc3\n\xa4'\n
A=\xed\xa0\x80\n
"""
NAMES = ("A", "B_1", "_c", "A ", " d", "A", "x9", "9x", "a-b", "", "export A", "Ä")
PIECES = r"""
'
"
\\
\n
\\\n
\x20
\t
\r
\r\n
=
#
;
$
`
{
}
,
''
""
\\\\
\\"
\\'
a
b c
x=y
\xc2\xa0
\xc3\xa4
\xe2\x80\xa8
\x01
\x0b
'a b'
"a b"
"a\nb"
'a\nb'
\nA=
\nB_1=
\n#
\n;
"""
UNIT = """[Service]
Type=oneshot
EnvironmentFile={directory}/%i.env
ExecStart=/bin/cp --no-preserve=all /proc/self/environ {directory}/%i.out
"""


def unescaped(texts):
    """The lines of *texts*, without Python's escapes, as bytes."""
    return [line.encode().decode("unicode_escape").encode("latin-1") for line in texts.strip("\n").split("\n")]


def corpus():
    """The files' contents, the same ones each time."""
    chance = random.Random(SEED)
    found = [b"", *unescaped(TEXTS)]
    choices = unescaped(PIECES)
    while len(found) < COUNT:
        lines = []
        for _ in range(chance.randint(1, 4)):
            pieces = [chance.choice(choices) for _ in range(chance.randint(0, 7))]
            lines.append((chance.choice(NAMES) + chance.choice(("=", "=", "=", " = ", ""))).encode() + b"".join(pieces))
        found.append(b"\n".join(lines))
    return found


def environ(content):
    """Content of /proc/PID/environ as pairs."""
    return dict(item.split(b"=", 1) for item in content.split(b"\0") if item)


def as_systemd_has_it(run, directory, files):
    """What a process gets of each file, None where systemd does not start it."""
    unit = Path("/run/systemd/system/environment-of@.service")
    for number, content in enumerate(files):
        (directory / f"{number}.env").write_bytes(content)
    try:
        unit.write_text(UNIT.format(directory=directory))
        run("systemctl", "daemon-reload")
        run("systemctl", "start", *(f"environment-of@{number}" for number in range(len(files))), check=False)
    finally:
        unit.unlink()
        run("systemctl reset-failed 'environment-of@*'; systemctl daemon-reload")
    results = (directory / f"{number}.out" for number in range(len(files)))
    found = [environ(path.read_bytes()) if path.exists() else None for path in results]
    assert found[0]  # the empty file: what systemd sets itself
    return [
        None if item is None else {key: value for key, value in item.items() if key not in found[0]} for item in found
    ]


def as_nsunit_has_it(path, version):
    """What nsunit reads of the file, None where it refuses it."""
    try:
        found = variables(str(path), lambda _line: None, version)
    except NsunitError:
        return None
    return {name.encode(): value.encode() for name, value in found}


def test_files_are_read_as_systemd_reads_them(run, workplace):
    files = corpus()
    expected = as_systemd_has_it(run, workplace, files)
    assert sum(item is None for item in expected) < 20  # most of them say something
    assert sum(bool(item) for item in expected) > 0.6 * len(files)
    version = int(re.search(r"systemd (\d+)", run("systemctl", "--version").stdout)[1])
    wrong = [
        (content, found, item)
        for number, (content, item) in enumerate(zip(files, expected, strict=True))
        if (found := as_nsunit_has_it(workplace / f"{number}.env", version)) != item
    ]
    assert wrong == []


def test_payload_and_sessions_have_them(containers, workplace):
    file, link = workplace / "some.env", workplace / "link.env"
    file.write_text(f'KEY="{KEY}"\nCONFIG={{"a": ["b"]}}\nMOTD=it\'s fine\nTAB=a\tb\nNBSP=a\u00a0b\nBOTH=file\n')
    link.symlink_to(file)
    same = r'"E_KEY=a\n\tb\\" E_NBSP=a\u00a0b E_ESC=\x1b[1m\x7f BOTH=key'
    keys = ("Layer=/srv/roots/busybox", "Volatile=yes", "Exec=/bin/sleep 1000", f"Environment={same}")
    container = containers.start("\n".join(("[Container]", *keys, f"EnvironmentFile={link}", "")))
    values = {"KEY": KEY, "CONFIG": '{"a": ["b"]}', "MOTD": "it's fine", "TAB": "a\tb", "NBSP": "a\u00a0b"}
    expected = values | {"BOTH": "file", "E_KEY": "a\n\tb\\", "E_NBSP": "a\u00a0b", "E_ESC": "\x1b[1m\x7f"}
    for found in (container.proc("environ"), container.exec("cat", "/proc/self/environ").stdout):
        found = environ(found.encode())
        assert {name: found[name.encode()].decode() for name in expected} == expected
