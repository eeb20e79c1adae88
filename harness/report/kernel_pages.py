"""What a page says about each kernel of a run: origin, configuration, surface, and the differences between any two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.kernels.kconfig import lacking
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.surface_tables import BUDGET, SurfaceTables, tables
from harness.surface import FOLDER
from harness.surface.catalogue import Catalogue, load
from harness.surface.record import CriuFindings, Record, read
from harness.verdict.known import Breakage
from harness.verdict.order import KernelVersion

_SAID = 12
"""Lines of `criu check` that are shown."""


@dataclass(frozen=True)
class CriuCheck:
    """What one userland's CRIU says of a kernel."""

    userland: str
    version: str
    returncode: int
    """Of `criu check --all`; it lies both ways, so it is told and decides nothing."""
    said: tuple[str, ...]
    features: int
    """How many are found, of `asked`."""
    asked: int
    missing: tuple[str, ...]
    """Names of the features that are not found."""


@dataclass(frozen=True)
class Surface:
    """A kernel's surface, counted."""

    there: int
    absent: int
    unanswered: int
    """The probe could not ask, died or said nothing."""
    families: tuple[tuple[str, int, int], ...]
    """Kind of interface, how many are there, of how many."""
    checks: tuple[CriuCheck, ...]
    cpu: str
    accelerator: str
    record: str
    """Path of the record, relative to the run's folder."""


@dataclass(frozen=True)
class KernelPage:
    """One kernel. Its texts went through `visible` and still want their format's escaping."""

    label: str
    release: str
    version: str | None
    sha256: str
    provenance: tuple[tuple[str, str], ...]
    """As in `run.json`: key and value; one row a package."""
    options: Mapping[str, str]
    """Configuration that matters, without `CONFIG_`, `n` for what is off; empty if the run did not write it down."""
    lacks: tuple[str, ...]
    """What of it CRIU or the lab misses, in words, the worst first."""
    surface: Surface | None


@dataclass(frozen=True)
class KernelPages:
    """All kernels of a run."""

    kernels: tuple[KernelPage, ...]
    tables: SurfaceTables
    """The differences between any two of them."""
    troubles: tuple[str, ...]
    """Records that cannot be read, in words."""

    @property
    def differing(self) -> tuple[str, ...]:
        """Options in which the kernels that have any differ."""
        known = [page.options for page in self.kernels if page.options]
        names = sorted({name for options in known for name in options})
        return tuple(name for name in names if len({options.get(name) for options in known}) > 1)


def kernel_pages(run: Run, entries: Iterable[Breakage], budget: int = BUDGET) -> KernelPages:
    """What the run's folder knows of its kernels, in the matrix's order; `budget` is that of the tables, in bytes."""
    records, troubles = _records(run)
    facts = kernel_facts(run)
    pages = tuple(_page(label, facts.get(label, {}), records.get(label)) for label in run.kernels)
    listed = [records[label] for label in run.kernels if label in records]
    return KernelPages(pages, tables(listed, entries, budget), tuple(troubles))


def _records(run: Run) -> tuple[dict[str, Record], list[str]]:
    found, troubles = {}, []
    for label in run.kernels:
        path = run.log(_path(label))
        if path is None:
            continue
        try:
            found[label] = read(path).labelled(label)
        except HarnessError as error:
            troubles.append(visible(str(error), 300))
    return found, troubles


def _path(label: str) -> str:
    return f"{FOLDER}/{label}.json"


def kernel_facts(run: Run) -> dict[str, Mapping[str, Any]]:
    """By label: what the plan says, or failing that the ledger's identity. Untrusted texts."""
    known: dict[str, Mapping[str, Any]] = {
        str(kernel["label"]): kernel
        for kernel in run.plan.get("kernels", [])
        if isinstance(kernel, dict) and "label" in kernel
    }
    for attempt in run.attempts:
        for side, label in (("source", attempt.cell.source), ("destination", attempt.cell.destination)):
            if label not in known and side in attempt.kernels:
                known[label] = vars(attempt.kernels[side])
    return known


def _page(label: str, facts: Mapping[str, Any], record: Record | None) -> KernelPage:
    version, release = facts.get("version"), str(facts.get("release") or label)
    options = facts.get("options")
    options = {str(k): str(v) for k, v in options.items()} if isinstance(options, dict) else {}
    place = KernelVersion.of(release, str(version) if version else None)
    return KernelPage(
        label=visible(label),
        release=visible(release),
        version=visible(str(version)) if version else None,
        sha256=visible(str(facts.get("sha256") or "")),
        provenance=tuple(_provenance(facts.get("provenance"))),
        options={visible(name): visible(value) for name, value in options.items()},
        lacks=tuple(lacking(options, place.numbers[:2])) if options else (),
        surface=_surface(record, label) if record is not None else None,
    )


def _provenance(record: object) -> Iterable[tuple[str, str]]:
    for key, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, list):
            for one in value:
                yield (
                    visible(str(key)),
                    visible(" ".join(map(str, one)) if isinstance(one, list) else str(one)),
                )
        elif value is not None:
            yield visible(str(key)), visible(str(value))


def _surface(record: Record, label: str) -> Surface:
    catalogue = load()
    there = {id for id, one in record.findings.items() if catalogue[id].present(one.result)}
    absent = {id for id, one in record.findings.items() if one.result in catalogue[id].absent}
    return Surface(
        there=len(there),
        absent=len(absent),
        unanswered=len(record.findings) - len(there) - len(absent),
        families=_families(record, there, catalogue),
        checks=tuple(_check(userland, criu) for userland, criu in record.criu.items()),
        cpu=visible(record.cpu),
        accelerator=visible(record.accelerator),
        record=_path(label),
    )


def _families(record: Record, there: set[str], catalogue: Catalogue) -> tuple[tuple[str, int, int], ...]:
    counted: dict[str, list[int]] = {}
    for id in record.findings:
        family = counted.setdefault(visible(catalogue[id].family), [0, 0])
        family[0] += id in there
        family[1] += 1
    return tuple((name, found, total) for name, (found, total) in counted.items())


def _check(userland: str, criu: CriuFindings) -> CriuCheck:
    return CriuCheck(
        userland=visible(userland),
        version=visible(criu.version),
        returncode=criu.returncode,
        said=tuple(visible(line, 200) for line in criu.said[:_SAID]),
        features=sum(criu.features.values()),
        asked=len(criu.features),
        missing=tuple(visible(name) for name, found in criu.features.items() if not found),
    )
