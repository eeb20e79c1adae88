"""The catalogue of interfaces: what each is, and which results say that a kernel does not have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import HarnessError

FILE = Path(__file__).parent / "catalogue.yaml"
_NEVER = frozenset({"unasked", "timeout", "silent"})
"""Results of a probe that did not come to an answer."""


class Entry(BaseModel):
    """One interface; the keys are documented at the head of `catalogue.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    what: str
    absent: tuple[str, ...]
    since: str | None = None
    ordered: bool = True
    grows: Literal["harmless", "breaking"] = "harmless"
    features: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """What kind of interface it is."""
        return self.id.partition(".")[0]

    def present(self, result: str) -> bool:
        """Whether a probe's result says that the interface is there."""
        return result not in self.absent and result not in _NEVER and not result.startswith("SIG")


@dataclass(frozen=True)
class Catalogue:
    """All entries by id, in the probe's order."""

    entries: Mapping[str, Entry]

    def __getitem__(self, id: str) -> Entry:
        """An entry; one that an older record names and the catalogue does not is taken for a plain one."""
        return self.entries.get(id) or Entry(id=id, what=id, absent=())


@lru_cache(maxsize=1)
def load(path: Path = FILE) -> Catalogue:
    """Read the data file. Raises `HarnessError` naming what is wrong in it."""
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        families, entries = document["families"], document["entries"]
        return Catalogue({id: _entry(path, id, record, families) for id, record in entries.items()})
    except (OSError, YAMLError, KeyError, TypeError) as error:
        raise HarnessError(f"{path.name}: {error!r}") from error


def _entry(
    path: Path, id: str, record: Mapping[str, object], families: Mapping[str, tuple[str, ...]]
) -> Entry:
    try:
        return Entry.model_validate({"id": id, "absent": families[id.partition(".")[0]], **record})
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise HarnessError(f"{path.name}: {id}: {'; '.join(wrong)}") from error
