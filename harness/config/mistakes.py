"""What pydantic found, in words: the key, what is wrong with it, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.config.document import Document, Key, Mistake
from harness.config.models import (
    SOURCES,
    Criu,
    Profile,
    Sections,
    Settings,
    Timeouts,
    Userland,
    kind_of,
)
from harness.config.selection import did_you_mean

_KINDS = {model.__name__: source for source, model in SOURCES.items()}

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "path_type": "a path",
    "tuple_type": "a list",
    "dict_type": "keys with values below it",
    "model_type": "keys with values below it",
    "finite_number": "a finite number",
}
"""By pydantic's error type: what a value of the right type is."""


def found_by_pydantic(error: ValidationError, document: Document) -> list[Mistake]:
    """Every error as a mistake, at the line of its key or of the entry that lacks the key."""
    errors = error.errors(include_url=False)
    return [_mistake(details, document) for details in errors if not _is_echo(details)]


def _is_echo(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items, reported on their own, are wrong."""
    return details["type"] == "too_short" and bool(details["input"])


def _mistake(details: ErrorDetails, document: Document) -> Mistake:
    key = _key(details["loc"], document)
    return Mistake(document.line(key), key, _text(details, key, document.data))


def _key(location: tuple[int | str, ...], document: Document) -> Key:
    """The location without pydantic's own parts and without indices that the file does not have."""
    parts = tuple(part for part in location if part != "[key]")
    if parts[:1] == ("kernels",) and len(parts) > 2 and parts[2] in _KINDS:
        parts = parts[:2] + parts[3:]
    while parts and isinstance(parts[-1], int) and parts not in document.lines:
        parts = parts[:-1]
    return parts


def _text(details: ErrorDetails, key: Key, data: object) -> str:
    kind = details["type"]
    value = details["input"]
    context = details.get("ctx", {})
    if kind == "wrong":
        return str(context["text"])
    if kind == "extra_forbidden":
        return _unknown(key, data)
    if kind == "missing":
        return _missing(key, data)
    if kind == "too_short":
        return "is empty; expected at least one"
    if kind == "literal_error":
        return f"{_show(value)} will not do; expected {context['expected']}"
    if kind in ("greater_than", "greater_than_equal", "less_than_equal"):
        return f"{_show(value)} is out of range; expected {_range(key)}"
    if kind in ("byte_size", "byte_size_unit"):
        return f"{_show(value)} is not a size; expected a size such as 512MiB"
    if kind in _EXPECTED:
        return f"{_is(value)}; expected {_expected(kind, key, value)}"
    return f"{_show(value)} will not do; expected: {details['msg']}"


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is(value: object) -> str:
    if value is None:
        return "is empty"
    names = {dict: "a mapping", list: "a list", bool: "true or false", str: "text"}
    if type(value) in (bool, int, float, str):
        return f"{_show(value)} is {names.get(type(value), 'a number')}"
    return f"is {names.get(type(value), f'a {type(value).__name__}')}"


def _expected(kind: str, key: Key, value: object) -> str:
    if key[-1:] == ("snapshot",):
        return "a timestamp in UTC such as 20131115T000000Z"
    if kind == "model_type":
        model = model_at(key, {})
        return f"the keys {', '.join(model.model_fields)}" if model else _EXPECTED[kind]
    if kind == "string_type" and isinstance(value, int | float):
        return "text, so put it in quotes"
    return _EXPECTED[kind]


def _range(key: Key) -> str:
    if "timeouts" in key:
        return "more than 0 seconds and at most 86400, which is a day"
    return "a whole number from 1 to 256"


def model_at(key: Key, data: object) -> type[BaseModel] | None:
    """The model whose fields may stand below `key`."""
    match key:
        case ():
            return Sections
        case ("settings",):
            return Settings
        case ("settings", "timeouts"):
            return Timeouts
        case ("userlands", _):
            return Userland
        case ("userlands", _, "criu"):
            return Criu
        case ("kernels", _):
            return next(model for model in SOURCES.values() if model.__name__ == kind_of(_at(data, key)))
        case ("profiles", _):
            return Profile
        case _:
            return None


def _at(data: object, key: Key) -> object:
    for part in key:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _field(key: Key, data: object) -> FieldInfo | None:
    model = model_at(key[:-1], data)
    return model.model_fields.get(str(key[-1])) if model else None


def _missing(key: Key, data: object) -> str:
    if key[:1] == ("kernels",) and key[-1] in SOURCES:
        return f"is missing: nothing says where the kernel comes from; expected one of {_list(SOURCES)}"
    info = _field(key, data)
    about = (info.description or "") if info else ""
    return f"is missing; expected {about[:1].lower()}{about[1:].rstrip('.')}" if about else "is missing"


def _unknown(key: Key, data: object) -> str:
    name = str(key[-1])
    model = model_at(key[:-1], data)
    known = tuple(model.model_fields) if model else ()
    if key[:1] == ("kernels",) and model:
        source = _KINDS[model.__name__]
        if name in SOURCES:
            return f"is a second source beside {source!r}; expected exactly one of {_list(SOURCES)}"
        if any(name in other.model_fields for other in SOURCES.values()):
            return f"does not go with {source!r}; expected only {_list(known)}"
    return f"is no key of kernels.yaml{did_you_mean(name, known)}; expected one of {_list(known)}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
