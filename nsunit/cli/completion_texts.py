"""What the scripts for shells have in them as it is: how names are asked for, and functions of bash."""

from __future__ import annotations

# A file of a container's: its name with a colon, and behind that what `nsunit cp` itself says.
CONTAINERS = 'nsunit list --all --names 2>/dev/null | sed -e "s/\\$/:/"'
NETWORKS = "nsunit network list --no-headings 2>/dev/null | cut -f1"
# What names can be: of containers, or ("any") also of groups.
LIST = {
    "running": "nsunit list --names 2>/dev/null",
    "running_any": "nsunit list --tree --names 2>/dev/null",
    "defined": "nsunit list --all --names 2>/dev/null",
    "defined_any": "nsunit list --all --tree --names 2>/dev/null",
    "definitions": "nsunit list --all --tree --names 2>/dev/null; "
    f'{NETWORKS} | sed -e "/^bridge\\$/d" -e "s/\\$/.network/"',
    "images": 'nsunit image list --no-headings 2>/dev/null | cut -f1 | sed "/^-\\$/d"',
    "volumes": "nsunit volume list --no-headings 2>/dev/null | cut -f1",
    "networks": NETWORKS,
}
OF_NETWORKS = ("inspect", "rm")  # what is followed by their names

BASH_PLACE = (
    "        place)",
    "            if [[ $cur == ?*:* ]]; then",
    '                words=$(nsunit cp --offer "$cur" . 2>/dev/null)',
    '                COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    "                [[ $COMPREPLY != */ ]] || compopt -o nospace",
    "                return",
    "            fi",
    '            COMPREPLY=($(compgen -W "$(' + CONTAINERS + ')" -- "$cur"))',
    "            [[ -z $COMPREPLY ]] || compopt -o nospace",
    "            _nsunit_paths -f; return ;;",
)
# What readline takes apart is put together: instances have an '@', and files of containers a colon.  It replaces what
# stands behind the last of these alone.
BASH_JOIN = (
    # adds files: a name with blanks is one word
    "_nsunit_paths() {",
    "    local -a found",
    "    [[ -n $COMPREPLY ]] || compopt -o filenames",
    '    mapfile -t found < <(compgen "$@" -- "$cur")',
    '    COMPREPLY+=("${found[@]}")',
    "}",
    "",
    "_nsunit() {",
    "    local -a joined=()",
    "    local rest=$COMP_LINE last=${COMP_WORDS[COMP_CWORD]} token before= blanks begun i at=0",
    "    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do",
    "        token=${COMP_WORDS[i]}",
    '        blanks=${rest%%[![:space:]]*} rest=${rest#"${rest%%[![:space:]]*}"} rest=${rest#"$token"}',
    "        if [[ -n $before && -z $blanks && ($token == [@:]* || $before == *[@:]) ]]; then joined[-1]+=$token",
    '        else joined+=("$token"); fi',
    "        ((i == COMP_CWORD)) && at=$((${#joined[@]} - 1))",
    "        before=$token",
    "    done",
    "    begun=${joined[at]}",
    '    [[ $last == [@:]* ]] || begun=${begun%"$last"}',
    '    COMP_WORDS=("${joined[@]}") COMP_CWORD=$at',
    "    _nsunit_offer",
    '    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$begun"}; done',
    "}",
)
