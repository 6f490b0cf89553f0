"""YAML of compose files: values with the lines they stand on.  The one place that loads PyYAML.

Scalars stay as they are written, but for null and the booleans of YAML 1.2: `yes`, `22:22`, `1e3`, `010`, `1.10` and
dates are texts.  Docker compose makes numbers of some, and of these others texts than in the file.
"""

from __future__ import annotations

from nsunit.imports.model import Origin, Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # Where each value stands, by the keys that lead to it.
    Lines = dict[tuple[str, ...], Origin]

DEPTH_MAX = 60
NODES_MAX = 100_000


class Reset(str):
    """`!reset`: what was said before is taken back."""


class Override:
    """`!override`: a *value* that replaces what was said before."""

    def __init__(self, value: Any) -> None:
        self.value = value


def unmarked(data: Any) -> Any:
    """*data* where nothing was said before that its marks were about."""
    if isinstance(data, Override):
        return unmarked(data.value)
    if isinstance(data, dict):
        return {name: unmarked(value) for name, value in data.items() if not isinstance(value, Reset)}
    return [unmarked(item) for item in data] if isinstance(data, list) else data


class Document:
    """A file's `data`, of dictionaries, lists, texts, booleans and None, and its `lines`.

    `override` has the places whose values are marked `!override`: they replace, and do not merge.
    """

    def __init__(self, data: Any, lines: Lines, override: set[tuple[str, ...]]) -> None:
        self.data = data
        self.lines = lines
        self.override = override


class _Builder:
    def __init__(self, path: str, yaml: Any) -> None:
        self.path = path
        self.yaml = yaml
        self.lines: Lines = {}
        self.override: set[tuple[str, ...]] = set()
        self.count = 0

    def build(self, node: Any, where: tuple[str, ...], line: int = 0) -> Any:
        """The value of *node*, which is at *where*."""
        self.count += 1
        if self.count > NODES_MAX or len(where) > DEPTH_MAX:
            raise self.wrong(node, "it has too many parts, or they lie too deep", "aliases may repeat what is large")
        line = line or node.start_mark.line + 1
        self.lines.setdefault(where, Origin(self.path, line, ".".join(where)))
        if node.tag == "!reset":
            return Reset()
        if node.tag == "!override":
            self.override.add(where)
        if isinstance(node, self.yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, self.yaml.SequenceNode):
            return [self.build(item, (*where, str(place))) for place, item in enumerate(node.value)]
        return node.value if node.style or _is_tagged(node) else _scalar(node.value)

    def _mapping(self, node: Any, where: tuple[str, ...]) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, self.yaml.ScalarNode):
                raise self.wrong(key, "a key is one word", "write NAME: VALUE")
            if key.value == "<<" and not key.style:
                several = value.value if isinstance(value, self.yaml.SequenceNode) else [value]
                for item in several:
                    found = self.build(item, where)
                    if not isinstance(found, dict):
                        raise self.wrong(value, "'<<' takes in what is no mapping", "name the anchor of one")
                    merged = {**found, **merged}
                continue
            if key.value in own:
                raise self.wrong(key, f"'{key.value}' is there twice", "leave out one of the two")
            place = (*where, str(key.value))
            self.lines.pop(place, None)  # that of what is merged
            own[str(key.value)] = self.build(value, place, key.start_mark.line + 1)
        return {**merged, **own}

    def wrong(self, node: Any, reason: str, instead: str) -> Unusable:
        return Unusable(Origin(self.path, node.start_mark.line + 1, "YAML"), reason, instead)


def read(path: str, text: str) -> Document:
    """The document *text*, of the file *path*.

    Raises:
        Unusable: it is not YAML, or has no mapping.
    """
    try:
        import yaml  # few have compose files
    except ImportError:
        raise Unusable(
            Origin(path, 0, "YAML"), "PyYAML is not installed", "install the package 'python3-yaml'"
        ) from None
    builder = _Builder(path, yaml)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
        data = builder.build(node, ()) if node is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        what = getattr(error, "problem", None) or "is not YAML"
        raise Unusable(Origin(path, line, "YAML"), str(what), "mind the indentation and the quotes") from None
    except RecursionError:
        raise Unusable(Origin(path, 0, "YAML"), "it lies too deep", "aliases may not contain themselves") from None
    if not isinstance(data, dict):
        raise Unusable(Origin(path, 1, "YAML"), "it is no compose file", "it begins with services:")
    return Document(data, builder.lines, builder.override)


def _is_tagged(node: Any) -> bool:
    """Whether a scalar without quotes is a text by its tag: `!!str true`."""
    return bool(node.tag == "tag:yaml.org,2002:str")


def _scalar(text: str) -> str | bool | None:
    """A scalar without quotes."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text[0] in "tT"
    return text
