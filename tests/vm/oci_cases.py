"""Layers that other stores have got wrong, and the ordinary ones beside them."""

import tarfile

from oci import directory, entry, file, hard, link

LONG = "/".join("name-of-a-hundred-characters-" + "x" * 71 for _ in range(8))  # 800 characters: PAX, GNU
XATTR = {"SCHILY.xattr.user.mark": "yes", "mtime": "1600000000.123456789"}

CASES = {
    "a directory that is passed through keeps its mode": [
        [directory("tmp", mode=0o1777, uid=3, gid=4, mtime=1_500_000_000)],
        [file("tmp/below", "1")],
        [file("tmp/again", "2"), file("new/deep/file", "3")],
    ],
    "the root has the mode the layers say": [
        [directory("./", mode=0o700, uid=7, gid=8), file("a")],
        [file("b")],
        [directory(".", mode=0o751)],
    ],
    "hard links within and across layers": [
        [file("one", "same"), hard("two", "one"), hard("three", "./two"), file("alone", "x"), directory("d")],
        [hard("d/four", "one"), hard("five", "/alone")],
        [file("two", "another"), link("to-one", "one"), hard("hard-to-link", "to-one")],
    ],
    "a whiteout and its replacement in one layer": [
        [file("x", "old"), file("y", "old"), directory("d", mode=0o700), file("d/old"), directory("e"), file("e/old")],
        [
            *[file(".wh.x"), file("x", "new"), file("y", "new"), file(".wh.y")],
            *[file(".wh.d"), directory("d"), file("d/new"), directory("e"), file("e/new"), file(".wh.e")],
        ],
    ],
    "an opaque directory hides what is further down alone": [
        [directory("d", mode=0o711), file("d/old"), directory("d/sub", mode=0o750), file("d/sub/old"), file("f/old")],
        [file("d/sub/new"), directory("d"), file("d/new"), file("d/.wh..wh..opq"), file("f/.wh..wh..opq")],
        [file("d/last")],
    ],
    "whiteouts of nothing, of trees and in new directories": [
        [file("a/b/c/d"), link("l", "a"), file("keep")],
        [file(".wh.nothing"), file("none/.wh.x"), file("a/.wh.b"), file(".wh.l")],
        [file("a/b", "a file now"), file(".wh..wh.plnk")],
    ],
    "kinds that change": [
        [file("f", "1"), directory("d"), file("d/x"), link("s", "d"), link("t", "nowhere")],
        [directory("f"), file("f/in"), file("d", "2"), directory("s", mode=0o700), file("t", "3")],
        [link("f", "d"), directory("d"), file("d/again")],
    ],
    "below links to directories": [
        [directory("usr/lib"), link("lib", "usr/lib"), link("abs", "/usr"), link("up", "../../usr/lib"), file("usr/z")],
        [file("lib/one", "1"), file("abs/lib/two", "2"), file("up/three", "3"), file("lib/.wh.four")],
        [file("lib/.wh.one"), hard("lib/five", "abs/lib/two"), hard("six", "up/three")],
    ],
    "a directory becomes a link, and what was in it a whiteout": [  # as umoci writes it
        [file("new/both"), file("new/b"), file("old/both"), file("old/deep/b"), file("o/both"), link("to-new", "new")],
        [
            *[link("old", "new"), file("old/.wh.both"), file("old/deep/.wh.b"), file("old/.wh.deep")],
            *[link("o", "to-new"), file("o/.wh..wh..opq"), file("to-new/.wh.b")],
        ],
    ],
    "sparse, empty and long": [
        [file(LONG, "long", pax_headers={"comment": "x"}), file("empty"), link("long-link", "y" * 400)],
        [hard("hard-to-long", LONG), file("zeros", "\0" * 300_000)],
    ],
    "nodes, times, owners, modes and attributes": [
        [
            entry("fifo", tarfile.FIFOTYPE, mode=0o620, uid=5),
            entry("null", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3),
            file("suid", "#", mode=0o6755, uid=1000, gid=1000),
            file("many", "", uid=4_000_000_000 - 1, gid=65_534, mode=0o000),
            file("exact", "", pax_headers=XATTR),
            directory("marked", pax_headers=XATTR, mode=0o2775),
        ],
        [
            directory("marked", mode=0o1755),
            file("marked/x"),
            file("early", mtime=-5),
            file("late", mtime=5_000_000_000),
        ],
    ],
    "files of root's where directories hand down their group": [
        [
            *[directory("d"), file("d/before", mode=0o600), directory("d", mode=0o2775, gid=50), file("d/after")],
            *[directory("own", gid=60, mode=0o2700), link("own/link", "x"), file("own/theirs", gid=60)],
        ],
        [file("own/more", mode=0o755), directory("own/below"), file("own/below/x"), hard("own/name", "own/more")],
    ],
    "dots and slashes in names": [
        [file("/absolute", "1"), file("./a/../b", "2"), file("c//d", "3"), file("../../up", "4"), directory("./e/")],
        [hard("../h", "/../b"), file("e/./f")],
    ],
    "one name twice": [[file("a", "1"), file("a", "2"), directory("b"), file("b/x"), directory("b", mode=0o500)]],
    "names that are no text": [[file("new\nline", "1"), file("caf\udce9", "2"), file("tab\t\\back", "3")]],
}
