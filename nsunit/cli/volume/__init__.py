"""The verbs of `nsunit volume`."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb


def _verb(name: str, summary: str, run: str, operands: str, least: int, most: int | None) -> Verb:
    function = f"nsunit.cli.volume.{run}"
    return Verb(f"volume {name}", "volume", summary, function, operands, least, most, before="doctor")


VERBS = (
    _verb("list/ls", "List volumes, and who uses them", "look:list_volumes", "", 0, 0),
    _verb("inspect", "Show all that is known of volumes", "look:inspect", "VOLUME…", 1, None).replace(
        complete="volumes",
        details=("VOLUME is its name, or NAME:PATH of one without a name, which container NAME has at PATH.",),
    ),
    _verb("create", "Make a volume, which the first start with it fills", "change:create", "NAME", 1, 1).replace(
        options=(Option("size", "Size it can grow to, by a project quota", value="SIZE"),),
        details=("--size takes a file system with project quotas: xfs, or ext4, mounted with the option prjquota.",),
    ),
    _verb("rm", "Remove volumes, with what is in them", "change:remove", "NAME…", 1, None).replace(
        options=(Option("force", "Stop and remove containers that use them first", short="f"),),
        complete="volumes",
        details=("One that a container uses, running or defined, is not taken away.",),
    ),
    _verb("prune", "Remove what was left half-made", "change:prune", "", 0, 0).replace(
        options=(
            Option("all", "Also remove all volumes that no container uses, with what is in them", short="a"),
            Option("dry-run", "Only say which volumes would be removed", short="n"),
            Option("force", "Do not ask", short="f"),
        ),
    ),
    _verb("export", "Write a volume to an archive", "transfer:export_volume", "VOLUME [FILE]", 1, 2).replace(
        complete="volumes",
        details=(
            "By tar(1), to standard output without FILE. Owners are those that programs in containers see, by number; "
            "extended attributes and ACLs are in it as well.",
        ),
    ),
    _verb("import", "Make a volume from an archive", "transfer:import_volume", "NAME [FILE]", 1, 2).replace(
        details=(
            "What 'volume export' has written, or any other archive that tar(1) reads, from standard input without "
            "FILE. It is unpacked in a unit that can write to the volume alone. A volume in which something is stays "
            "as it is.",
        ),
    ),
)
