"""Surfaces in a run: a kernel is probed once, in a guest that is reset afterwards, and remembered. No guest is real."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cache import Cache
from harness.errors import GuestLost
from harness.guests.guest import Hardware
from harness.migration.criu import Criu
from harness.session.surface import Surfaces
from harness.surface import probe
from harness.surface.record import Record, read

GOLDEN = Path(__file__).parent / "golden" / "surface"
LABEL = "debian-6.12"


class Site:
    """Counts resets."""

    def __init__(self) -> None:
        self.guest = self
        self.criu = Criu("criu", "4.1.1", frozenset())
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def lab(tmp_path: Path) -> SimpleNamespace:
    kernel = SimpleNamespace(sha256="k", release="6.12.117", version=None)
    image = SimpleNamespace(sha256="i", userland="trixie")
    return SimpleNamespace(
        kernels={LABEL: kernel},
        images={"trixie": image},
        hardware=Hardware("tcg", "Haswell-noTSX", 512 << 20),
        cache=Cache(tmp_path / "cache"),
        directory=tmp_path / "run",
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The labels that were probed."""
    labels: list[str] = []

    def ask(subject: probe.Subject, *_: object) -> Record:
        labels.append(subject.label)
        return read(GOLDEN / f"{LABEL}.json")

    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(probe, "compile_workload", lambda *_: {"each": Path("each")})
    monkeypatch.setattr(probe.program, "build", lambda cache: Path("probe"))
    return labels


def test_a_kernel_is_probed_once_and_its_guest_is_reset(lab: SimpleNamespace, asked: list[str]) -> None:
    run, site = Surfaces(lab), Site()
    assert run.recall() == [(LABEL, "trixie")]
    for _ in range(2):
        run.visit(site, "trixie", LABEL)  # type: ignore[arg-type]
    assert (asked, site.resets) == ([LABEL], 1)
    assert read(lab.directory / "surface" / f"{LABEL}.json").kernel.label == LABEL


def test_the_next_run_remembers_it(lab: SimpleNamespace, asked: list[str], tmp_path: Path) -> None:
    Surfaces(lab).visit(Site(), "trixie", LABEL)  # type: ignore[arg-type]
    lab.directory = tmp_path / "next"
    lab.kernels = {"another-label": lab.kernels[LABEL]}
    assert Surfaces(lab).recall() == []  # type: ignore[arg-type]
    assert asked == [LABEL]
    assert read(tmp_path / "next" / "surface" / "another-label.json").kernel.label == "another-label"


@pytest.mark.parametrize("change", [{"sha256": "other"}, {"release": "6.12.118", "sha256": "new"}])
def test_another_kernel_is_not_taken_for_it(
    lab: SimpleNamespace, asked: list[str], change: dict[str, str]
) -> None:
    Surfaces(lab).visit(Site(), "trixie", LABEL)  # type: ignore[arg-type]
    lab.kernels[LABEL].__dict__.update(change)
    assert Surfaces(lab).recall() == [(LABEL, "trixie")]


def test_a_guest_that_does_not_stand_the_probe_is_reset_and_the_run_goes_on(
    lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost(*_: object) -> Record:
        raise GuestLost("gone")

    monkeypatch.setattr(probe, "ask", lost)
    monkeypatch.setattr(probe, "compile_workload", lambda *_: {"each": Path("each")})
    monkeypatch.setattr(probe.program, "build", lambda cache: Path("probe"))
    run, site = Surfaces(lab), Site()
    for _ in range(2):
        run.visit(site, "trixie", LABEL)  # type: ignore[arg-type]
    assert site.resets == 1
    assert f"the surface of {LABEL} is not known: gone" in caplog.text
    assert not (lab.directory / "surface").exists()
