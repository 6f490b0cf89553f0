"""The rooms: who may import whom, what is imported where, and who may print. The code is read, not run."""

import ast
import functools
import posix
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsunit.features import FEATURES

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = set("addresses bytecode digest errors jsontext light names packs record run subordinate units version".split())
EFFECTS = {"bus", "storage", "dropins"}

# Each room and the rooms it may import from, itself and the base modules apart. Arrows point down only. The registry
# of features stands below all of them: it imports what it names when that is asked for.
ROOMS = {
    "cli": {"deeds", "oci", "features", "core", "plan", "imports", "definition", "formats", *EFFECTS, "registry"},
    "oci": {"core", "setup", "storage", "bus", "registry"},
    "deeds": {"core", "plan", "imports", "definition", "formats", "setup", *EFFECTS, "registry"},
    "features": {"core", "plan", "definition", "formats", "setup", *EFFECTS, "registry"},
    "core": {"plan", "definition", "formats", "setup", *EFFECTS, "registry"},
    **dict.fromkeys(EFFECTS, {"plan", "definition", "formats"}),
    "plan": {"definition", "formats", "setup", "registry"},
    "imports": {"definition", "features", "registry"},
    "definition": {"registry"},
    "formats": set(),
    "registry": set(),
    "setup": {"registry"},
}
NEEDS = {feature.name: {feature.name, *feature.needs.split()} for feature in FEATURES}

# The one place in which a package of others is imported.
THIRD_PARTY = {
    "pystemd": "nsunit.bus.marshal",
    "dbus_next": "nsunit.bus.signals",
    "jinja2": "nsunit.dropins.render",
    "pyroute2": "nsunit.features.network.wire.messages",
    "yaml": "nsunit.imports.compose.document",
}

# The helper is started for every container: what is not here costs milliseconds, see the start-up budget.
SETUP_STDLIB = {"os", "sys", "errno", "fcntl", "stat", "struct", "_ctypes", "gc", "time", "select"}
# The C halves: the Python halves import more.
SETUP_STDLIB |= {"__future__", "_signal", "_socket", "_stat", "_struct", "posix"}

# What a start, stop or exec loads; these and all that they import at module level stay light.
START_PATH = (
    *("nsunit.cli.main", "nsunit.cli.lifecycle", "nsunit.cli.lifecycle.start", "nsunit.cli.lifecycle.stop"),
    *("nsunit.deeds.start", "nsunit.deeds.stop"),
)
EXEC_PATH = ("nsunit.cli.main", "nsunit.cli.session", "nsunit.cli.session.execute", "nsunit.deeds.session.execute")
HEAVY = set(
    "argparse asyncio collections concurrent contextlib dataclasses email enum functools hashlib http importlib inspect"
    " ipaddress json logging pathlib pwd grp re shlex shutil signal socket subprocess tempfile textwrap threading"
    " traceback typing unittest urllib uuid dbus_next jinja2 pyroute2".split()
)
FOLDER_MAX = 17
LINES_MAX = 440
SPEAKING = {"print", "exit", "sys.exit", "sys.stdout.write", "sys.stderr.write"}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    return name.removesuffix(".__init__")


TEXTS = {module_name(path): path.read_text() for path in sorted((REPOSITORY / "nsunit").rglob("*.py"))}
MODULES = {module: ast.parse(text) for module, text in TEXTS.items()}


def room_of(module: str) -> str:
    """Return the room of a module: the package below nsunit, "base", or "registry" for that of the features."""
    parts = module.split(".")
    if len(parts) == 1 or parts[1] in BASE:
        return "base"
    return "registry" if module == "nsunit.features" else parts[1]


def feature_of(module: str) -> str:
    """Return the feature that a module belongs to, or nothing."""
    return module.split(".")[2] if room_of(module) == "features" else ""


FEATURED = [module for module in MODULES if feature_of(module)]


def is_helper(module: str) -> bool:
    """Tell whether the helper may load a module, inside of a container's unit."""
    parts = module.split(".")
    return room_of(module) == "setup" or (feature_of(module) != "" and parts[3:] in (["setup"], ["console"]))


HELPER = [module for module in MODULES if is_helper(module)]


def speaks(module: str) -> bool:
    """Tell whether a module may print and exit."""
    return room_of(module) == "cli" or module in ("nsunit.oci.main", "nsunit.oci.verbs.events")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def walk(node: ast.AST, *, functions: bool = True) -> Iterator[ast.AST]:
    """Walk what runs, without `if TYPE_CHECKING:` and, on request, without the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child) or (not functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        yield child
        yield from walk(child, functions=functions)


@functools.cache  # each test asks for all of them
def imports(module: str, *, functions: bool = True) -> frozenset[str]:
    """Return the full names of all modules a module imports."""
    found: set[str] = set()
    for node in walk(MODULES[module], functions=functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} line {node.lineno}: a relative import"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else node.module)
    return frozenset(found)


def own_imports(module: str) -> set[str]:
    """Return those of them that are nsunit's own."""
    return {name for name in imports(module) if name.split(".")[0] == "nsunit"}


def calls(module: str) -> Iterator[ast.Call]:
    """Return all calls in a module."""
    return (node for node in walk(MODULES[module]) if isinstance(node, ast.Call))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def test_imports_point_down():
    wrong = {}
    for module in MODULES:
        room = room_of(module)
        allowed = {"base"} if room == "base" else {room, "base"} | ROOMS[room]
        if room == "setup":
            allowed = {"setup", "registry"}
        wrong[module] = {name for name in own_imports(module) - {"nsunit.bytecode"} if room_of(name) not in allowed}
    assert none_of(wrong), f"a room may import itself, the base and {ROOMS}"


def none_of(wrong: dict[str, set[str]]) -> bool:
    """Return whether nothing is wrong with any of the modules; what is, is told."""
    found = {module: sorted(names) for module, names in wrong.items() if names}
    assert found == {}
    return True


def test_features_import_those_that_the_registry_says_they_need():
    """Not more than they need, and of the rooms above nothing at all."""
    assert none_of(
        {
            module: {feature_of(name) for name in imports(module)} - {""} - NEEDS[feature_of(module)]
            for module in FEATURED
        }
    )


def test_keys_import_the_definition_engine_only():
    """So that looking up a key loads nothing that plans or acts."""
    keys = [module for module in FEATURED if module.rpartition(".")[2] in ("keys", "values", "connection", "table")]
    assert none_of(
        {
            module: {room_of(name) for name in own_imports(module)} - {"definition", "features", "base"}
            for module in keys
        }
    )


def test_plans_do_nothing():
    """What is called plan or model imports no room that has effects."""
    plans = [module for module in FEATURED if {"plan", "model"} & set(module.split(".")[3:])]
    assert none_of({module: {room_of(name) for name in own_imports(module)} & EFFECTS for module in plans})


def test_formats_of_others_use_what_is_pure_of_features():
    """An import format gets texts and gives texts, and so does all that it takes from anywhere."""
    waiting = {module for module in MODULES if room_of(module) == "imports"}
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= {name for name in imports(module) if name in MODULES and room_of(name) != "registry"} - seen
    assert {module for module in seen if room_of(module) in {*EFFECTS, "core", "plan"}} == set()
    used = {"nsunit.features.cgroup.version1", "nsunit.features.environment_files.syntax"}
    assert {module for module in seen if feature_of(module)} == used


def test_there_are_no_cycles():
    """Imports inside functions count: what imports each other cannot be read one after the other."""
    graph = {module: {name for name in imports(module) if name in MODULES and name != module} for module in MODULES}
    while graph:
        free = {module for module, wanted in graph.items() if not wanted & graph.keys()}
        assert free, f"in or behind a cycle: {sorted(graph)}"
        graph = {module: wanted for module, wanted in graph.items() if module not in free}


def imports_in_functions() -> Iterator[tuple[str, ast.stmt]]:
    """Each import that stands inside a function, with its module."""
    for module, tree in MODULES.items():
        seen = set()
        for function in walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno not in seen:
                        seen.add(node.lineno)
                        yield module, node


def test_imports_in_functions_are_few_and_have_a_reason():
    """They are for what a start must not load: its reason stands behind each."""
    found = list(imports_in_functions())
    runtime = [module for module, _ in found if "oci" in module.split(".")[1:3]]
    assert len(found) - len(runtime) <= 40
    assert len(runtime) <= 20  # nsunit-oci is a program of its own, whose every call is counted in milliseconds
    for module, node in found:
        line = TEXTS[module].splitlines()[(node.end_lineno or node.lineno) - 1]
        assert "  # " in line, f"{module} line {node.lineno}: no word of why it stands there"


def path_of(module: str) -> Path:
    path = REPOSITORY / (module.replace(".", "/") + ".py")
    return path if path.exists() else REPOSITORY / module.replace(".", "/") / "__init__.py"


def test_folders_are_small():
    folders = Counter(path_of(module).parent for module in MODULES if path_of(module).name != "__init__.py")
    assert {folder: count for folder, count in folders.items() if count > FOLDER_MAX} == {}


def test_third_party_packages_have_one_place_each():
    tops = {module: {name.split(".")[0] for name in imports(module)} for module in MODULES}
    wrong = {
        module: {top for top in found & THIRD_PARTY.keys() if THIRD_PARTY[top] != module}
        for module, found in tops.items()
    }
    assert none_of(wrong), f"they belong into {THIRD_PARTY}"


def test_no_other_third_party_package_is_imported():
    import sys

    newer = {"_sha2"}  # of the standard library from Python 3.12 on
    known = set(sys.stdlib_module_names) | newer | THIRD_PARTY.keys() | {"nsunit"}
    found = {name.split(".")[0]: module for module in MODULES for name in imports(module)}
    assert not {top: module for top, module in found.items() if top not in known}


def test_helper_imports_only_what_is_free():
    free = {*SETUP_STDLIB, "nsunit", "_frozen_importlib", "_frozen_importlib_external"}  # these have loaded the rest
    assert none_of({module: {name.split(".")[0] for name in imports(module)} - free for module in HELPER})
    own = {module: {name for name in own_imports(module) if not is_helper(name)} for module in HELPER}
    assert none_of(
        {module: names - {"nsunit.features", "nsunit.light", "nsunit.bytecode"} for module, names in own.items()}
    )


def test_helper_takes_no_path_at_its_word():
    """In a container's root any component may be a link: these calls follow them, or touch files by path twice."""
    banned = {"os.makedirs", "os.path.realpath", "os.renames", "os.removedirs", "os.walk"}
    for module in HELPER:
        for node in calls(module):
            name = dotted(node.func)
            assert name not in banned, f"{module} line {node.lineno}: {name}"
            if name == "open":
                modes = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
                mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else "r" if not modes else "?"
                assert not set(str(mode)) & set("wax+?"), f"{module} line {node.lineno}: open() for writing"


def test_helper_has_all_of_os_that_it_uses():
    """Where `light` stands in for os, what that lacks would be loaded when it is asked for: within the container."""
    begins_anew = {"nsunit.setup.interpreter"}  # before it does anything else
    names = {
        module: {name.split(".")[1] for node in walk(MODULES[module]) if (name := dotted(node)).startswith("os.")}
        for module in HELPER
        if "os" in imports(module) and module not in begins_anew
    }
    light = MODULES["nsunit.light"]
    own = {node.id for node in ast.walk(light) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.name for node in light.body if isinstance(node, ast.FunctionDef)} | {"path"}
    there = set(dir(posix)) - {"environ"} | own
    assert none_of({module: found - there for module, found in names.items()})
    (path,) = (node for node in light.body if isinstance(node, ast.ClassDef))
    there = {node.name for node in path.body if isinstance(node, ast.FunctionDef)} | {"sep"}
    used = {
        module: {name.split(".")[2] for node in walk(MODULES[module]) if (name := dotted(node)).startswith("os.path.")}
        for module in names
    }
    assert none_of({module: found - there for module, found in used.items()})


def loaded_by(*roots: str) -> set[str]:
    """Return all modules of nsunit that are loaded when these are, by what they import at module level."""
    loaded: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in MODULES and module not in loaded:
            loaded.add(module)
            waiting += imports(module, functions=False)
    return loaded


@pytest.mark.parametrize("roots", [START_PATH, EXEC_PATH], ids=["start", "exec"])
def test_start_path_is_light(roots):
    assert set(roots) <= MODULES.keys()
    for module in sorted(loaded_by(*roots)):
        heavy = {name for name in imports(module, functions=False) if name.split(".")[0] in HEAVY}
        assert not heavy, f"{module} imports {heavy} at module level"


def test_a_session_loads_nothing_that_mounts():
    """What was mounted for the payload is there."""
    assert loaded_by(*EXEC_PATH) & {"nsunit.setup.main", "nsunit.setup.mounts", "nsunit.setup.root"} == set()


def test_only_the_command_line_prints_and_exits():
    for module in MODULES:
        if speaks(module) or is_helper(module):
            continue
        for node in walk(MODULES[module]):
            if isinstance(node, ast.Call):
                assert dotted(node.func) not in SPEAKING, f"{module} line {node.lineno}: {dotted(node.func)}"
            if isinstance(node, ast.Raise) and node.exc:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                assert dotted(raised) != "SystemExit", f"{module} line {node.lineno}"


def test_modules_are_not_too_long():
    lengths = {module: len(text.splitlines()) for module, text in TEXTS.items()}
    assert {module: length for module, length in lengths.items() if length > LINES_MAX} == {}
