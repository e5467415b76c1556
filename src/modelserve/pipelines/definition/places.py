"""YAML whose every value knows its place, so that what is wrong with it can be told by line and column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from modelserve.errors import ModelServeError
from modelserve.pipelines.definition.scalars import index_in_source

Path = tuple["str | int", ...]
"""Keys and list indices from the top."""

_MOST_VALUES = 100_000
"""More than any pipeline has: a few aliases of aliases can stand for billions."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong, and where. Lines and columns are from 1."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"


class DefinitionError(ModelServeError):
    """A definition that is none.

    Args:
        where: the file's name, or what else it is known by.
        mistakes: all that were found.
    """

    def __init__(self, where: str, mistakes: list[Mistake]) -> None:
        self.where, self.mistakes = where, sorted(set(mistakes))
        super().__init__("\n".join(f"{where}:{mistake}" for mistake in self.mistakes))


class _Loader(yaml.SafeLoader):
    """YAML as far as JSON goes: a date is a text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in ("null", "bool", "int", "float", "str", "seq", "map")
}


def _finite(loader: _Loader, node: yaml.ScalarNode) -> float:
    number = float(loader.construct_yaml_float(node))
    if not math.isfinite(number):
        raise yaml.constructor.ConstructorError(None, None, f"{node.value} is no number", node.start_mark)
    return number


_Loader.add_constructor("tag:yaml.org,2002:float", _finite)


class Document:
    """A document's value, and where its parts are.

    Args:
        text: of the file.
        value: of the document.
        nodes: by their paths, of a key or of a value.
    """

    def __init__(
        self, text: str, value: Any, keys: Mapping[Path, yaml.Node], values: Mapping[Path, yaml.Node]
    ) -> None:
        self.value = value
        self._text = text
        self._keys, self._values = keys, values

    def mistake(
        self, path: Path, message: str, *, at_key: bool = False, offset: int | None = None
    ) -> Mistake:
        """A mistake at a path, or at what is nearest above it.

        Args:
            path: of the value.
            message: what is wrong.
            at_key: whether it is the key that is.
            offset: of the mistake in the value's own text, where it is known.
        """
        node = self._keys.get(path) if at_key else self._values.get(path)
        while node is None:
            path = path[:-1]
            node = self._values[path]
        if offset is not None and isinstance(node, yaml.ScalarNode):
            begin, end = node.start_mark.index, node.end_mark.index
            found = index_in_source(self._text[begin:end], node.style, node.value, offset)
            if found is not None:
                lines = f"{self._text[: begin + found]}|".splitlines()
                return Mistake(len(lines), len(lines[-1]), message)
        return _at(node, message)


def read_document(text: str, where: str) -> Document:
    """The one document of a file.

    Raises:
        DefinitionError: it is no YAML, or has what JSON has not.
    """
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_node() if loader.check_node() else None
        if node is None:
            raise DefinitionError(where, [Mistake(1, 1, "the file is empty; a Pipeline is accepted")])
        if loader.check_node() and (second := loader.get_node()) is not None:
            raise DefinitionError(where, [_at(second, "a second document; one Pipeline is accepted")])
        keys: dict[Path, yaml.Node] = {}
        values: dict[Path, yaml.Node] = {}
        mistakes = list(_walk(node, (), keys, values))
        if mistakes:
            raise DefinitionError(where, mistakes)
        return Document(text, loader.construct_document(node), keys, values)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        said = error.problem or error.context or "it cannot be read"
        what = "no JSON" if isinstance(error, yaml.constructor.ConstructorError) else "no YAML"
        raise DefinitionError(where, [Mistake(*place, f"{what}: {said}")]) from error
    except yaml.reader.ReaderError as error:
        raise DefinitionError(where, [Mistake(1, 1, f"no YAML: {error.reason}")]) from error
    except (RecursionError, ValueError) as error:  # an integer of thousands of digits is a ValueError
        raise DefinitionError(
            where, [Mistake(1, 1, "no YAML that a Pipeline could be: too deep or too long")]
        ) from error
    finally:
        if loader is not None:
            loader.dispose()


def _walk(
    node: yaml.Node, path: Path, keys: dict[Path, yaml.Node], values: dict[Path, yaml.Node]
) -> Iterator[Mistake]:
    """Note where everything is; what cannot be told by a path is a mistake."""
    values[path] = node
    if len(values) > _MOST_VALUES or len(path) > 100:
        yield _at(node, f"too large; {_MOST_VALUES} values, 100 deep, are accepted")
        return
    if isinstance(node, yaml.ScalarNode) and not _is_unicode(node.value):
        yield _at(node, "half a character, as \\ud800 is; a text of whole ones is accepted")
    elif isinstance(node, yaml.SequenceNode):
        for index, one in enumerate(node.value):
            if len(values) <= _MOST_VALUES:
                yield from _walk(one, (*path, index), keys, values)
    elif isinstance(node, yaml.MappingNode):
        for key, one in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                yield _at(key, "<< is not accepted; an alias for a whole value is")
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                yield _at(key, "a key that is no text; quoted, it is one")
                continue
            if not _is_unicode(key.value):
                yield _at(key, "a key with half a character, as \\ud800 is")
                continue
            below = (*path, key.value)
            if below in values:
                yield _at(key, f"{key.value} is there twice")
                continue
            keys[below] = key
            if len(values) <= _MOST_VALUES:
                yield from _walk(one, below, keys, values)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _at(node: yaml.Node, message: str) -> Mistake:
    return Mistake(node.start_mark.line + 1, node.start_mark.column + 1, message)
