"""A YAML file as plain data that remembers the line of every key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from harness.errors import ConfigError

Key = tuple[str | int, ...]
"""The way to a value: mapping keys and list indices from the top."""

MAX_VALUES = 100_000
"""More values than any sane file has. Nested aliases can make a short file expand without bound."""

_MERGE = "tag:yaml.org,2002:merge"


def show_key(key: Key) -> str:
    """A key as messages print it: `profiles.quick.kernels[2]`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if part.isprintable() and part else repr(part))
    return text


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a file."""

    line: int
    key: Key
    text: str

    def show(self, file: str) -> str:
        """`FILE:LINE: KEY.PATH: what is wrong; expected ...`."""
        return ": ".join(part for part in (f"{file}:{self.line}", show_key(self.key), self.text) if part)


@dataclass(frozen=True)
class Document:
    """The file's content, the line (from 1) of every key and list item, and what is already wrong."""

    data: object
    lines: dict[Key, int]
    mistakes: tuple[Mistake, ...] = ()

    def line(self, key: Key) -> int:
        """The line of `key`, or of the nearest thing around it that the file has."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def read(path: Path) -> str:
    """The file's text. Raises `ConfigError` if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; expected the lab's kernels.yaml") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: byte {error.object[error.start]:#04x} is not UTF-8") from None


def parse(text: str) -> Document:
    """Read YAML 1.2. Never raises for bad input: a syntax error is the document's only mistake."""
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        if node is None:
            return Document({}, {})
        return _Reader(yaml).document(node)
    except RecursionError:
        return Document({}, {}, (Mistake(1, (), "is nested too deeply to be read; expected a few levels"),))
    except MarkedYAMLError as error:
        return Document({}, {}, (_syntax_mistake(error),))
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        mistake = Mistake(line, (), f"has the character {error.character!r}, which YAML does not allow")
        return Document({}, {}, (mistake,))
    except YAMLError as error:
        return Document({}, {}, (Mistake(1, (), f"is not YAML: {error}"),))


def _syntax_mistake(error: MarkedYAMLError) -> Mistake:
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    return Mistake(mark.line + 1 if mark else 1, (), f"is not YAML: {said}")


class _Reader:
    """Turns YAML nodes into plain data, noting lines, duplicate keys and keys that are not text."""

    def __init__(self, yaml: YAML) -> None:
        self._constructor = yaml.constructor
        self._lines: dict[Key, int] = {}
        self._mistakes: list[Mistake] = []
        self._open: list[Node] = []
        self._values = 0

    def document(self, node: Node) -> Document:
        data = self._value(node, ())
        return Document(data, self._lines, tuple(self._mistakes))

    def _note(self, node: Node, key: Key, text: str) -> None:
        self._mistakes.append(Mistake(node.start_mark.line + 1, key, text))

    def _value(self, node: Node, key: Key) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            raise YAMLError(f"its aliases expand to more than {MAX_VALUES} values")
        if any(node is other for other in self._open):
            self._note(node, key, "is an alias for something that contains it; expected a value")
            return None
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, key)
            if isinstance(node, SequenceNode):
                return self._sequence(node, key)
            return self._scalar(node, key)
        finally:
            self._open.pop()

    def _scalar(self, node: Node, key: Key) -> object:
        try:
            value: object = self._constructor.construct_object(node)
        except (YAMLError, ValueError):
            self._note(node, key, f"{node.value!r} is not a {node.tag}; expected plain text or a number")
            return None
        return value

    def _sequence(self, node: SequenceNode, key: Key) -> list[object]:
        for index, item in enumerate(node.value):
            self._lines[*key, index] = item.start_mark.line + 1
        return [self._value(item, (*key, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, key: Key) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        for name_node, value_node in node.value:
            if name_node.tag == _MERGE:
                merged = self._merged(value_node, key) | merged
                continue
            name = self._name(name_node, key)
            here = (*key, name)
            line = name_node.start_mark.line + 1
            if name in own:
                first = self._lines[here]
                self._mistakes.append(
                    Mistake(line, here, f"is here twice; expected each key once (line {first})")
                )
                self._value(value_node, here)
                self._lines[here] = first
                continue
            self._lines[here] = line
            own[name] = self._value(value_node, here)
        return merged | own

    def _merged(self, node: Node, key: Key) -> dict[str, object]:
        """What `<<:` brings in; with a list, the first mapping that has a key wins."""
        parts = node.value if isinstance(node, SequenceNode) else [node]
        result: dict[str, object] = {}
        for part in parts:
            value = self._value(part, key)
            if isinstance(value, dict):
                result = value | result
            else:
                self._note(part, key, "'<<' brings in something that has no keys; expected a mapping")
        return result

    def _name(self, node: Node, key: Key) -> str:
        if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        text = str(node.value) if isinstance(node, ScalarNode) else "?"
        self._note(node, (*key, text), f"this key is not text; expected it in quotes: '{text}'")
        return text
