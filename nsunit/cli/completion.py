"""Shell completion, from the table of verbs: `python3 -m nsunit.cli.completion bash|zsh|fish` writes a script."""

from __future__ import annotations

import sys

from nsunit.cli.change.words import values
from nsunit.cli.completion_texts import BASH_JOIN, BASH_PLACE, CONTAINERS, LIST, NETWORKS, OF_NETWORKS
from nsunit.cli.network import ACTIONS, ALIASES
from nsunit.cli.verbs import GLOBAL_OPTIONS, Option, Verb, all_verbs, families, family, load

# What shells know themselves.
_BY_SHELL = (("file",), ("directory",), ("host",))
# Kinds of values that nsunit itself is asked for, by what stands in an option's row.
_ASKED = {("images",): "images"}
_TABLES = {("keys",): "nsunit.cli.change.words:keys"}
_GENERATED = "# Written by 'python3 -m nsunit.cli.completion {}'; do not edit."


def bash() -> str:
    """Return the script for bash; it needs nothing of the package bash-completion."""
    verbs = " ".join(_first_words())
    lines = [
        _GENERATED.format("bash"),
        *BASH_JOIN,
        "_nsunit_offer() {",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= options= names= word i",
        "    local first=0 words= values= key=",
        "    # '=' breaks words: --signal=SIG arrives as three",
        "    if [[ $cur == '=' ]]; then cur=; prev=${COMP_WORDS[COMP_CWORD-1]}",
        "    elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi",
        "    [[ ${COMP_WORDS[COMP_CWORD]} == '=' || ${COMP_WORDS[COMP_CWORD-1]} == '=' ]] && key=$prev",
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        "        word=${COMP_WORDS[i]}",
        f"        case $word in {_spelled_with_value(GLOBAL_OPTIONS)})",
        "            [[ ${COMP_WORDS[i+1]} == '=' ]] && i=$((i + 1)); i=$((i + 1)); continue ;;",
        "        esac",
        "        if [[ -z $verb && $word != -* ]]; then verb=$word; first=$((i + 1))",
        f'        elif [[ \' {" ".join(families())} \' == *" $verb "* ]]; then verb+=" $word"; first=$((i + 1)); fi',
        "    done",
        "    COMPREPLY=()",
        f"    options='{_words(GLOBAL_OPTIONS)}'",
        "    case $verb in",
        f"        '') words='{verbs}' ;;",
    ]
    for name in families():
        lines.append(f"        {name}) words='{' '.join(_second_words(name))}' ;;")
    for verb in all_verbs():
        lines += _bash_verb(verb)
    lines += [
        "    esac",
        *_bash_values(GLOBAL_OPTIONS, "    "),
        "    [[ $key == [A-Z]* && $names == command ]] && values=:file  # run -p KEY=",
        "    case $key in",
        *(f"        {'|'.join(keys)}) values='{' '.join(words)}' ;;" for words, keys in values().items()),
        "    esac",
        "    case $values in",
        "        '') ;;",
        "        :any) return ;;",
        "        :file) _nsunit_paths -f; return ;;",
        "        :directory) _nsunit_paths -d; return ;;",
        '        :host) begun= COMPREPLY=($(compgen -A hostname -- "${cur##*@}")); return ;;',
        "        :images) values=$(" + LIST["images"] + ");;&",
        '        *) COMPREPLY=($(compgen -W "$values" -- "$cur"))',
        "            [[ $COMPREPLY != *= ]] || compopt -o nospace; return ;;",
        "    esac",
        '    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$cur")); return; fi',
        "    case $names in",
        *(f"        {kind}) words=$({command}) ;;" for kind, command in LIST.items()),
        f"        verbs) words='{verbs}' ;;",
        "        user) words=$(compgen -u) ;;",
        '        file) _nsunit_paths -W "$words" -f; return ;;',
        "        command) _nsunit_paths -c -f; return ;;",
        *BASH_PLACE,
        "    esac",
        # a value of a key may be a path; its names are known by nobody else
        "    if [[ -n $key && $words == *=* ]]; then _nsunit_paths -f; return; fi",
        '    COMPREPLY=($(compgen -W "$words" -- "$cur"))',
        "    [[ $COMPREPLY != *[=:] ]] || compopt -o nospace",
        "}",
        "complete -F _nsunit nsunit",
    ]
    return "\n".join(lines) + "\n"


def _bash_verb(verb: Verb) -> list[str]:
    lines = [
        f"        {'|'.join(_zsh_quoted(name) if ' ' in name else name for name in verb.names)})",
        f"            names={verb.complete} options+=' {_words(verb.options)}'",
    ]
    if verb.kinds:
        lines.append(f"            words='{' '.join(kind for kind, _ in verb.kinds)}'")
    if verb.complete == "networks":
        lines += [
            f"            if ((COMP_CWORD <= first)); then names= words='{' '.join((*ACTIONS, *ALIASES))}'",
            f"            elif [[ ${{COMP_WORDS[first]}} != @({'|'.join(OF_NETWORKS)}) ]]; then names=; fi",
        ]
    if verb.command_at is not None and verb.command_at > 0:
        lines.append("            ((COMP_CWORD > first)) && [[ $prev != -* && $cur != -* ]] && names=command")
        lines.append("            ((COMP_CWORD > first + 1)) && [[ $prev == -- ]] && names=command")
    if rest := _rest(verb):
        lines.append(f"            ((COMP_CWORD > first)) && [[ $prev != -* ]] && names= words='{' '.join(rest)}'")
    return [*lines, *_bash_values(verb.options, " " * 12), "            ;;"]


def _bash_values(options: tuple[Option, ...], indent: str) -> list[str]:
    """What sets $values if the word before is an option with one."""
    with_value = [option for option in options if option.value and not option.implied]
    if not with_value:
        return []
    cases = (f"{indent}    {_spelled_with_value((option,))}) values='{_values(option)}' ;;" for option in with_value)
    return [f"{indent}case $prev in", *cases, f"{indent}esac"]


def _spelled_with_value(options: tuple[Option, ...]) -> str:
    """The spellings of those options whose value is the next word."""
    with_value = [option for option in options if option.value and not option.implied]
    return "|".join(
        spelled for option in with_value for spelled in (f"--{option.long}", f"-{option.short}") if len(spelled) > 1
    )


def _first_words() -> list[str]:
    return [*(name for verb in _single_verbs() for name in verb.names), *families()]


def _single_verbs() -> list[Verb]:
    return [verb for verb in all_verbs() if " " not in verb.name]


def _rest(verb: Verb) -> tuple[str, ...]:
    """What the operands are after the first, if that is known."""
    return load(verb.words)() if verb.words else ()


def _second_words(name: str) -> list[str]:
    return [alias.partition(" ")[2] for verb in family(name) for alias in verb.names]


def _words(options: tuple[Option, ...]) -> str:
    words = [f"--{option.long}" for option in options]
    return " ".join(words + [f"-{option.short}" for option in options if option.short])


def _values(option: Option) -> str:
    if option.complete in _BY_SHELL or option.complete in _ASKED:
        return ":" + option.complete[0]
    return " ".join(_known(option)) or ":any"


def _known(option: Option) -> tuple[str, ...]:
    """The words that its value can be, as far as they are known here."""
    return load(_TABLES[option.complete])() if option.complete in _TABLES else option.complete


def zsh() -> str:
    """Return the script for zsh."""
    lines = ["#compdef nsunit", _GENERATED.format("zsh"), ""]
    for kind, command in LIST.items():
        lines += [f"_nsunit_{kind}() {{", f'    compadd -- ${{(f)"$({command})"}}', "}", ""]
    lines += [
        "_nsunit_place() {",
        "    if [[ $PREFIX == ?*:* ]]; then",
        '        compadd -S "" -- ${(f)"$(nsunit cp --offer "$PREFIX" . 2>/dev/null)"}',
        "    else",
        f'        compadd -S "" -- ${{(f)"$({CONTAINERS})"}}',
        "        _files",
        "    fi",
        "}",
        "",
    ]
    lines += [
        "_nsunit_keys() {",  # the keys are its arguments
        '    if [[ $PREFIX != *=* ]]; then compadd -S "" -- "$@"; return; fi',
        "    local key=${PREFIX%%=*}",
        "    compset -P '*='",
        "    case $key in",
        *(f"        {'|'.join(keys)}) compadd -- {' '.join(words)} ;;" for words, keys in values().items()),
        "        *) _files ;;",
        "    esac",
        "}",
        "",
        "_nsunit_network() {",
        f"    if ((CURRENT == 2)); then compadd -- {' '.join((*ACTIONS, *ALIASES))}",
        f"    elif [[ $words[2] == ({'|'.join(OF_NETWORKS)}) ]]; then _nsunit_networks; fi",
        "}",
        "",
    ]
    lines += ["_nsunit_verbs() {", "    local -a verbs", "    verbs=("]
    for verb in _single_verbs():
        lines += [f"        {_zsh_quoted(f'{name}:{verb.summary}')}" for name in verb.names]
    lines += [f"        {_zsh_quoted(f'{name}:{_summary(name)}')}" for name in families()]
    lines += ["    )", "    _describe verb verbs", "}", "", "_nsunit() {", "    local line state verb"]
    lines += ["    _arguments -C \\", *_zsh_options(GLOBAL_OPTIONS, 8)]
    lines += [
        "        '1: :_nsunit_verbs' '*:: :->operands'",
        "    [[ $state == operands ]] || return",
        "    verb=$line[1]",
        f"    if [[ $verb == ({'|'.join(families())}) ]]; then",
        '        if ((CURRENT > 2)); then verb="$verb $words[2]"; shift words; ((CURRENT--)); fi',
        "    fi",
        "    case $verb in",
    ]
    lines += [f"        {name}) compadd -- {' '.join(_second_words(name))} ;;" for name in families()]
    for verb in all_verbs():
        patterns = "|".join(_zsh_quoted(name) if " " in name else name for name in verb.names)
        lines += [f"        {patterns})", "            _arguments \\"]
        lines += _zsh_options((*GLOBAL_OPTIONS, *verb.options), 16)
        lines += [f"                {_zsh_operands(verb)}", "            ;;"]
    return "\n".join([*lines, "    esac", "}", "", '_nsunit "$@"', ""])


def _summary(name: str) -> str:
    return f"{', '.join(_second_words(name))}"


def _zsh_options(options: tuple[Option, ...], indent: int) -> list[str]:
    lines = []
    for option in options:
        text = option.summary.replace("[", "(").replace("]", ")").replace(":", "\\:")
        value = f":{option.value.strip('[]').lower()}:{_zsh_values(option)}" if option.value else ""
        star = "*" if option.repeat else ""
        equals = "=" if option.value else ""
        if option.implied:  # the value may be left out, and stands in the same word
            value, equals = f":{value}", "=-"
        lines.append(" " * indent + _zsh_quoted(f"{star}--{option.long}{equals}[{text}]{value}") + " \\")
        if option.short:
            lines.append(" " * indent + _zsh_quoted(f"{star}-{option.short}[{text}]{value}") + " \\")
    return lines


def _zsh_values(option: Option) -> str:
    if option.complete == ("file",):
        return "_files"
    if option.complete == ("directory",):
        return "_files -/"
    if option.complete == ("host",):
        return "_hosts"
    if option.complete in _ASKED:
        return f"_nsunit_{_ASKED[option.complete]}"
    return _zsh_words(_known(option)) if option.complete else " "


def _zsh_words(words: tuple[str, ...]) -> str:
    """One of *words*, of which keys and transports have no blank behind them."""
    text = " ".join(words)
    if ":" in text:
        return f'{{compadd -S "" -- {text}}}'.replace(":", "\\:")
    return f"{{_nsunit_keys {text}}}" if "=" in text else f"({text})"


def _zsh_operands(verb: Verb) -> str:
    if verb.command_at == 1:
        return f"'1:name:_nsunit_{verb.complete}' '*:: :_normal'"
    if verb.command_at == 0:
        return "'*:: :_normal'"
    if rest := _rest(verb):
        first = "_users" if verb.complete == "user" else f"_nsunit_{verb.complete}" if verb.complete else " "
        return f"'1:name:{first}' '*:word:{_zsh_words(rest)}'"
    if verb.kinds:
        kinds = " ".join(kind for kind, _ in verb.kinds)
        return f"'1:kind:{{compadd -- {kinds}; _files}}' '*:file:_files'"
    if verb.complete == "networks":
        return "'*:name:_nsunit_network'"
    if verb.complete in (*LIST, "verbs", "place"):
        return f"'*:name:_nsunit_{verb.complete}'"
    return "'*:file:_files'" if verb.complete == "file" else "'*: : '"


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def fish() -> str:
    """Return the script for fish."""
    verbs = " ".join(_first_words())
    lines = [
        _GENERATED.format("fish"),
        f"set -l verbs {verbs}",
        "complete -c nsunit -f",
    ]
    lines += _fish_values()
    lines += [_fish_option("", option) for option in GLOBAL_OPTIONS]
    none = '-n "not __fish_seen_subcommand_from $verbs"'
    for name in families():
        lines.append(f"complete -c nsunit {none} -a {name} -d {_fish_quoted(_summary(name))}")
    for verb in all_verbs():
        seen, offered = _fish_condition(verb), none
        first, space, _ = verb.names[0].partition(" ")
        if space:
            seconds = " ".join(_second_words(first))
            offered = f'-n "__fish_seen_subcommand_from {first}; and not __fish_seen_subcommand_from {seconds}"'
        for name in verb.names:
            word = name.rpartition(" ")[2]
            lines.append(f"complete -c nsunit {offered} -a {word} -d {_fish_quoted(verb.summary)}")
        if verb.complete == "networks":
            actions = " ".join((*ACTIONS, *ALIASES))
            none_yet, named = (
                f'{seen[:-1]}; and {has} __fish_seen_subcommand_from {words}"'
                for has, words in (("not", actions), ("", " ".join(OF_NETWORKS)))
            )
            lines.append(f"complete -c nsunit {none_yet} -a '{actions}'")
            lines.append(f"complete -c nsunit {named} -a '({NETWORKS})'")
        elif verb.complete in LIST:
            lines.append(f"complete -c nsunit {seen} -a '({LIST[verb.complete]})'")
        elif verb.complete == "place":
            offered = f"nsunit cp --offer (commandline -ct) . 2>/dev/null; or {CONTAINERS}"
            lines.append(f"complete -c nsunit {seen} -F -a '({offered})'")
        elif verb.complete == "file":
            lines.append(f"complete -c nsunit {seen} -F")
        elif verb.complete == "verbs":
            lines.append(f'complete -c nsunit {seen} -a "$verbs"')
        elif verb.complete == "command":
            lines.append(f"complete -c nsunit {seen} -a '(__fish_complete_subcommand)'")
        elif verb.complete == "user":
            lines.append(f"complete -c nsunit {seen} -a '(__fish_complete_users)'")
        if verb.kinds:
            lines.append(f"complete -c nsunit {seen} -F -a '{' '.join(kind for kind, _ in verb.kinds)}'")
        if rest := _rest(verb):
            lines.append(f"complete -c nsunit {seen} -a '{_fish_words(rest)}'")
        lines += [_fish_option(seen, option) for option in verb.options]
    return "\n".join(lines) + "\n"


def _fish_values() -> list[str]:
    """A function that offers values to the key under the cursor, each with the key before it."""
    lines = [
        "function __nsunit_values",
        "    set -l key (commandline -ct | string replace -r '^--[a-z]+=' '' | string match -r '^[A-Z][^=]*=')",
        "    switch $key",
    ]
    for words, keys in values().items():
        lines += [
            f"        case {' '.join(f'{key}=' for key in keys)}",
            f"            printf $key%s\\n {' '.join(words)}",
        ]
    return [*lines, "    end", "end"]


def _fish_condition(verb: Verb) -> str:
    """The condition under which *verb* is the one on the command line."""
    first, space, _ = verb.names[0].partition(" ")
    words = " ".join(name.rpartition(" ")[2] for name in verb.names)
    if space:
        return f'-n "__fish_seen_subcommand_from {first}; and __fish_seen_subcommand_from {words}"'
    others = " ".join((*families(), *({"network"} - {verb.name})))  # whose second words are verbs, too
    return f'-n "not __fish_seen_subcommand_from {others}; and __fish_seen_subcommand_from {words}"'


def _fish_option(condition: str, option: Option) -> str:
    parts = ["complete -c nsunit", condition, f"-l {option.long}"]
    if option.short:
        parts.append(f"-s {option.short}")
    if option.value and not option.implied:
        parts.append("-r -F" if option.complete in (("file",), ("directory",)) else "-x")
        if option.complete == ("host",):
            parts.append("-a '(__fish_print_hostnames)'")
        elif option.complete in _ASKED:
            parts.append(f"-a '({LIST[_ASKED[option.complete]]})'")
        elif option.complete and option.complete not in _BY_SHELL:
            parts.append(f"-a {_fish_quoted(_fish_words(_known(option)))}")
    parts.append(f"-d {_fish_quoted(option.summary)}")
    return " ".join(part for part in parts if part)


def _fish_words(words: tuple[str, ...]) -> str:
    """*words*, and behind a key its values."""
    text = " ".join(words)
    return f"{text} (__nsunit_values)" if "=" in text else text


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def main(arguments: list[str]) -> int:
    """Write the script for the shell named in *arguments*."""
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        sys.stderr.write(f"usage: python3 -m nsunit.cli.completion {'|'.join(SHELLS)}\n")
        return 2
    sys.stdout.write(SHELLS[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
