"""The verbs about definitions: render, verify, cat, edit."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "render",
        "definition",
        "Show what a start would have systemd and the helper do",
        "nsunit.cli.definitions.render:render",
        operands="NAME",
        least=1,
        most=1,
        options=(
            Option("unit-files", "The unit files alone"),
            Option("for", "For another systemd than that of this machine", value="VERSION"),
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
            "the root. A template, NAME@, is checked as the instance that DefaultInstance= names, or as NAME@1.",
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
