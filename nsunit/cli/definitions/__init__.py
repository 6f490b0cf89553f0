"""The verbs about definitions: create, render, verify, cat, edit."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "create",
        "definition",
        "Write the definition of a container that starts",
        "nsunit.cli.definitions.create:create",
        operands="NAME [KEY=VALUE…]",
        least=1,
        most=None,
        options=(
            Option("image", "Of this image, which is fetched where it is not here", value="REF", complete=("images",)),
            Option("template", "With a root that this template makes", value="TEMPLATE", complete=("directory",)),
            Option("force", "In place of a definition, and a root, that are there", short="f"),
        ),
        words="nsunit.cli.change.words:keys",
        details=(
            "Its root is said by an option, or by a key: nsunit create web Layer=/var/lib/machines/debian "
            "Exec='python3 -m http.server'.",
            "TEMPLATE is busybox, debian, another program in /etc/nsunit/templates.d, a directory with a slash in its "
            "name to be copied, or lxc:NAME for one of LXC's, which is run as it is.",
            "A key that begins with a capital letter, with or without its section, goes into the definition: "
            "MemoryMax=1G. One that does not is an option of the template: suite=trixie.",
            "Nothing is written unless 'nsunit verify' finds nothing wrong with it. 'nsunit rm --definition' takes "
            "definition and root away.",
        ),
    ),
    Verb(
        "render",
        "definition",
        "Show what a start would have systemd and the helper do",
        "nsunit.cli.definitions.render:render",
        operands="NAME",
        least=1,
        most=1,
        options=(
            Option("unit-files", "Show the unit files alone"),
            Option("for", "Show it for this version of systemd instead of the installed one", value="VERSION"),
        ),
        complete="defined_any",
        details=(
            "The steps of the helper in words, and the units as files. With --json: the steps and what is sent to "
            "systemd by D-Bus, or with --unit-files the files by their names.",
        ),
    ),
    Verb(
        "verify",
        "definition",
        "Check definitions",
        "nsunit.cli.definitions.verify:verify",
        operands="[NAME…]",
        most=None,
        complete="definitions",
        patterns="definitions",
        details=(
            "Checks all definitions if none is named, those of networks too, and has systemd-analyze verify check the "
            "units as well. NAME.network is the definition of a network. The program and the users are looked up in "
            "the root, secrets where they are kept. A template, NAME@, is checked as the instance that "
            "DefaultInstance= names, or as NAME@1.",
        ),
    ),
    Verb(
        "cat",
        "definition",
        "Print definitions and their drop-ins",
        "nsunit.cli.definitions.cat:cat",
        operands="NAME…",
        least=1,
        most=None,
        complete="definitions",
        patterns="definitions",
        details=(
            "Those of 'set --persist' and 'dropin' are among them, and what else systemd has for the units in its "
            "directories of drop-ins, in the order in which they count.",
        ),
    ),
    Verb(
        "edit",
        "definition",
        "Edit a definition",
        "nsunit.cli.definitions.edit:edit",
        operands="NAME",
        least=1,
        most=1,
        options=(
            Option(
                "force",
                "Make a new definition if there is none",
                short="f",
                run="nsunit.cli.definitions.new:edit_or_make",
            ),
            Option("drop-in", "Edit this drop-in of the definition instead", value="FILE"),
            Option("stdin", "Take the new text from standard input"),
        ),
        complete="definitions",
        details=(
            "Starts $SYSTEMD_EDITOR, $VISUAL or $EDITOR on a copy, checks it, and puts it in place of the file. What "
            "comes from outside /etc/nsunit is copied there.",
        ),
    ),
)
