"""The registry of features and the folders, keys, hooks and operations that it tells of."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import nsunit
from nsunit.cli.verbs import TABLES, table
from nsunit.features import (
    FEATURES,
    features_of,
    kinds_of,
    load,
    of_users,
    operation_of,
    owner_of,
    with_keys,
    with_operation,
)
from nsunit.setup.main import KINDS
from nsunit.setup.operation import Operation

PACKAGE = Path(nsunit.__file__).parent
FOLDER = PACKAGE / "features"
REGISTRY = FOLDER / "__init__.py"
NAMES = [feature.name for feature in FEATURES]
SECTIONS = {"Container", *(feature.section for feature in FEATURES)} - {""}
NEEDS = {feature.name: set(feature.needs.split()) for feature in FEATURES}
HOOKS = [(feature.name, hook) for feature in FEATURES for hook in feature.hooks.split()]
OPERATIONS = [(feature.name, keyword) for feature in FEATURES for keyword in feature.operations.split()]


def has(feature: str, part: str) -> bool:
    return (FOLDER / feature / f"{part}.py").exists()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """What runs, without `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from walk(child)


def constants(node: ast.AST) -> list[str]:
    return [item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)]


def calls_of_hooks(path: Path) -> Iterator[str]:
    """The hooks that a module calls: each is named in the call, or by the loop around it."""
    tree = ast.parse(path.read_text())
    loops = {
        node.target.id: constants(node.iter)
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Tuple)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "hooks" and len(node.args) == 2:
            hook = node.args[1]
            found = loops.get(hook.id, []) if isinstance(hook, ast.Name) else constants(hook)
            assert found, f"{path} line {node.lineno}: the hook has no name that can be read"
            yield from found


CALLED = {hook for path in sorted(PACKAGE.rglob("*.py")) if path != REGISTRY for hook in calls_of_hooks(path)}


def imported(feature: str) -> set[str]:
    """The other features whose modules are imported by those of *feature*, inside functions too."""
    found = set()
    for path in (FOLDER / feature).rglob("*.py"):
        for node in walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name.split(".")[2] for name in modules if name.startswith("nsunit.features.")}
    return found & set(NAMES) - {feature}


def operations(feature: str) -> set[type[Operation]]:
    """The operations that are defined in the `setup` of *feature*."""
    if not has(feature, "setup"):
        return set()
    module = load(feature, "setup")
    kinds = (kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Operation))
    return {kind for kind in kinds if kind.__module__ == module.__name__}


def test_each_folder_is_a_feature_and_has_one_line():
    assert len(NAMES) == len(set(NAMES))
    assert sorted(NAMES) == sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))


@pytest.mark.parametrize(("feature", "hook"), HOOKS)
def test_each_hook_is_a_function_that_somebody_calls(feature, hook):
    part, _, function = hook.partition(".")
    assert callable(getattr(load(feature, part), function))
    assert hook in CALLED


def test_no_hook_is_named_twice():
    assert len(HOOKS) == len(set(HOOKS))


def test_each_hook_that_is_called_is_somebodys():
    assert not CALLED - {hook for _, hook in HOOKS}


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_its_keys_are_those_of_its_tables(feature):
    tables = load(feature.name, "keys").TABLES if has(feature.name, "keys") else {}
    assert sorted(tables.get("Container", ())) == sorted(feature.keys.split())
    assert set(tables) == ({"Container"} if feature.keys else set()) | ({feature.section} if feature.section else set())
    for section, rows in tables.items():
        assert rows
        assert {owner_of(section, key) for key in rows} == {feature.name}
        assert feature.name in with_keys(section)
    assert features_of(feature.keys.split()) == ((feature.name,) if feature.keys else ())


def test_each_key_has_one_owner():
    keys = [key for feature in FEATURES for key in feature.keys.split()]
    assert len(keys) == len(set(keys))
    assert features_of(["Exec", "Rootfs"]) == ()
    assert owner_of("Container", "Exec") == owner_of("Service", "Nice") == ""
    assert {name for section in SECTIONS for name in with_keys(section)} == {
        feature.name for feature in FEATURES if feature.keys or feature.section
    }


@pytest.mark.parametrize(("feature", "keyword"), OPERATIONS)
def test_each_operation_is_found_by_its_keyword(feature, keyword):
    assert with_operation(keyword) == (feature,)
    kind = operation_of(keyword)
    assert kind is not None
    assert kind.keyword == keyword
    assert kind.__module__ == f"nsunit.features.{feature}.setup"


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_each_operation_has_its_keyword_in_the_registry(feature):
    found = operations(feature.name)
    assert sorted(kind.keyword for kind in found) == sorted(feature.operations.split())
    assert not {kind.keyword for kind in found} & {kind.keyword for kind in KINDS}


def test_an_operation_of_all_containers_is_no_features():
    assert operation_of(KINDS[0].keyword) is operation_of("nonsense") is None
    assert with_operation("nonsense") == ()


@pytest.mark.parametrize("feature", NAMES)
def test_it_needs_those_whose_modules_it_imports(feature):
    assert imported(feature) == NEEDS[feature]


def test_needs_make_no_circle():
    left = dict(NEEDS)
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


@pytest.mark.parametrize("feature", [feature for feature in FEATURES if feature.verbs], ids=lambda item: item.name)
def test_its_verbs_have_a_table(feature):
    module = f"nsunit.cli.{feature.verbs}"
    assert importlib.import_module(module).VERBS == table(module) != ()
    assert [other.name for other in FEATURES if other.verbs == feature.verbs] == [feature.name]


def test_each_table_of_verbs_is_that_of_all_containers_or_of_a_feature():
    folders = [path.parent.name for path in (PACKAGE / "cli").glob("*/__init__.py")]
    listed = [*TABLES, *(f"nsunit.cli.{feature.verbs}" for feature in FEATURES if feature.verbs)]
    assert sorted(listed) == sorted(f"nsunit.cli.{name}" for name in folders)


def test_kinds_are_told_by_the_ends_of_names():
    suffixes = {feature.suffix: feature.name for feature in FEATURES if feature.suffix}
    assert len(suffixes) == sum(bool(feature.suffix) for feature in FEATURES)
    for suffix, name in suffixes.items():
        assert kinds_of(f"shop{suffix}") == (name,)
    assert kinds_of("shop") == ()


def test_what_users_always_use():
    assert of_users() == tuple(feature.name for feature in FEATURES if feature.of_users) != ()
