"""Reading `kernels.yaml`: every mistake at once, each with its line, before anything is fetched."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.config.checks import found_between_parts
from harness.config.document import Document, Mistake, parse, read, show_key
from harness.config.mistakes import found_by_pydantic
from harness.config.models import Config, Sections
from harness.errors import ConfigError

HINT = "docs/kernels-yaml.md describes every key"


def load(path: Path) -> Config:
    """The configuration in the file at `path`; paths in it are relative to its directory.

    Raises `ConfigError` whose message has one line for every mistake, in the order of the file:
    `kernels.yaml:LINE: KEY.PATH: what is wrong; expected ...`.
    """
    full = path.absolute()
    document = parse(read(path))
    sections, mistakes = _validate(document, full.parent)
    if sections is None or mistakes:
        in_order = sorted(mistakes, key=lambda mistake: (mistake.line, show_key(mistake.key), mistake.text))
        lines = dict.fromkeys(mistake.show(str(path)) for mistake in in_order)
        raise ConfigError("\n".join(lines), hint=HINT)
    return Config(
        path=full,
        settings=sections.settings,
        userlands=sections.userlands,
        kernels=sections.kernels,
        profiles=sections.profiles,
    )


def _validate(document: Document, base: Path) -> tuple[Sections | None, list[Mistake]]:
    """The validated sections, or None, and every mistake. After a syntax error nothing else is looked for."""
    mistakes = list(document.mistakes)
    if mistakes and not document.lines:
        return None, mistakes
    mistakes += found_between_parts(document)
    try:
        sections = Sections.model_validate(document.data, context={"base": base})
    except ValidationError as error:
        return None, mistakes + found_by_pydantic(error, document)
    return sections, mistakes
