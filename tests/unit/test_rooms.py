"""The rooms: who may import whom, what is imported where, and who may print. The code is read, not run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = {"addresses", "record", "errors", "names", "subordinate", "units", "version"}
EFFECTS = {"bus", "network", "storage", "dropins"}

# Each room and the rooms it may import from, itself and the base modules apart. Arrows point down only.
ROOMS = {
    "cli": {"manager", "plan", "definition", *EFFECTS},
    "manager": {"plan", "definition", "setup", *EFFECTS},
    **dict.fromkeys(EFFECTS, {"plan", "definition"}),
    "plan": {"definition", "setup"},
    "definition": set(),
    "setup": set(),
}

# The one place in which a package of others is imported.
THIRD_PARTY = {
    "pystemd": "nsunit.bus.systemd",
    "dbus_next": "nsunit.bus.signals",
    "jinja2": "nsunit.dropins.render",
    "pyroute2": "nsunit.network.links",
}

# The helper is started for every container: what is not here costs milliseconds, see the start-up budget.
SETUP_STDLIB = {"os", "sys", "errno", "fcntl", "stat", "struct", "ctypes", "gc", "time", "select"}
SETUP_STDLIB |= {"__future__", "_signal", "_socket"}  # the C halves: the Python halves import enum

# What a start, stop or exec loads; these and all that they import at module level stay light.
START_PATH = ("nsunit.cli.main", "nsunit.cli.lifecycle", "nsunit.manager.start", "nsunit.manager.stop")
EXEC_PATH = ("nsunit.cli.session", "nsunit.manager.execute")
HEAVY = set(
    "argparse asyncio collections concurrent contextlib dataclasses email enum functools hashlib http importlib inspect"
    " ipaddress json logging pathlib pwd grp re shlex shutil signal socket subprocess tempfile textwrap threading"
    " traceback typing unittest urllib uuid dbus_next jinja2 pyroute2".split()
)
SPEAKING = {"print", "exit", "sys.exit", "sys.stdout.write", "sys.stderr.write"}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_name(path): ast.parse(path.read_text()) for path in sorted((REPOSITORY / "nsunit").rglob("*.py"))}


def room_of(module: str) -> str:
    """Return the room of a module: the package below nsunit, or "base"."""
    parts = module.split(".")
    if len(parts) == 1 or parts[1] in BASE:
        return "base"
    return parts[1]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def walk(node: ast.AST, *, functions: bool = True) -> Iterator[ast.AST]:
    """Walk what runs, without `if TYPE_CHECKING:` and, on request, without the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child) or (not functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        yield child
        yield from walk(child, functions=functions)


def imports(module: str, *, functions: bool = True) -> set[str]:
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
    return found


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    room = room_of(module)
    allowed = {"base"} if room == "base" else {room, "base"} | ROOMS[room]
    if room == "setup":
        allowed = {"setup"}
    wrong = {name for name in imports(module) if name.split(".")[0] == "nsunit" and room_of(name) not in allowed}
    assert not wrong, f"{room} may import {sorted(allowed)}"


@pytest.mark.parametrize("module", MODULES)
def test_third_party_packages_have_one_place_each(module):
    tops = {name.split(".")[0] for name in imports(module)}
    wrong = {top for top in tops & THIRD_PARTY.keys() if THIRD_PARTY[top] != module}
    assert not wrong, f"these belong into {[THIRD_PARTY[top] for top in wrong]}"


def test_no_other_third_party_package_is_imported():
    import sys

    known = set(sys.stdlib_module_names) | THIRD_PARTY.keys() | {"nsunit"}
    found = {name.split(".")[0]: module for module in MODULES for name in imports(module)}
    assert not {top: module for top, module in found.items() if top not in known}


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) == "setup"])
def test_helper_imports_only_what_is_free(module):
    tops = {name.split(".")[0] for name in imports(module)} - {"nsunit"}
    assert tops <= SETUP_STDLIB


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) == "setup"])
def test_helper_takes_no_path_at_its_word(module):
    """In a container's root any component may be a link: these calls follow them, or touch files by path twice."""
    banned = {"os.makedirs", "os.path.realpath", "os.renames", "os.removedirs", "os.walk"}
    for node in walk(MODULES[module]):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        assert name not in banned, f"line {node.lineno}: {name}"
        if name == "open":
            modes = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
            mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else "r" if not modes else "?"
            assert not set(str(mode)) & set("wax+?"), f"line {node.lineno}: open() for writing"


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


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) not in ("cli", "setup")])
def test_only_the_command_line_prints_and_exits(module):
    for node in walk(MODULES[module]):
        if isinstance(node, ast.Call):
            assert dotted(node.func) not in SPEAKING, f"line {node.lineno}: {dotted(node.func)}"
        if isinstance(node, ast.Raise) and node.exc:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            assert dotted(raised) != "SystemExit", f"line {node.lineno}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_not_too_long(module):
    path = REPOSITORY / (module.replace(".", "/") + ".py")
    path = path if path.exists() else REPOSITORY / module.replace(".", "/") / "__init__.py"
    assert len(path.read_text().splitlines()) <= 550
