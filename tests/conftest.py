"""What the tests marked `vm` and `browser` share. libvirt's embedded driver allows one root a process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import ledgers
import published_sites
import pytest
import second_nights
from browser import CHROMIUM, Reader, chromium
from playwright.sync_api import Browser, Page
from stage import Stage

from harness import images, kernels
from harness.cache import Cache
from harness.config import Config, load
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import EMBED, Hypervisor, open_hypervisor
from harness.history import index
from harness.report.write import Summary, write_reports
from harness.verdict.known import load as load_known

KNOWN = cache(load_known)


@pytest.fixture
def known_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`known.yaml` takes a tenth of a second to read, and tests of the history open it many times."""
    monkeypatch.setattr(index, "load", KNOWN)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Three nights to be published, of which the second broke something."""
    return published_sites.three_nights(tmp_path / "reports")


@pytest.fixture(scope="session")
def second_night(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A second night with every verdict and every kind of change."""
    return second_nights.second_night(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="session")
def hostile_night(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """The same with hostile text everywhere."""
    return second_nights.second_night(tmp_path_factory.mktemp("hostile"), hostile=True)


@pytest.fixture(params=["second_night", "hostile_night"], ids=["night", "hostile"])
def either_night(request: pytest.FixtureRequest) -> Summary:
    """One of the two."""
    found: Summary = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def lab_cache() -> Cache:
    """The user's own cache: kernels and images are fetched and built once."""
    return Cache()


@pytest.fixture(scope="session")
def lab_config() -> Config:
    """The project's own kernels.yaml."""
    return load(Path(__file__).parent.parent / "kernels.yaml")


@pytest.fixture(scope="session")
def trixie(lab_cache: Cache, lab_config: Config) -> images.Image:
    """The userland trixie."""
    return images.prepare("trixie", lab_config.userlands["trixie"], lab_config.settings, lab_cache)


@pytest.fixture(scope="session")
def debian_6_12(lab_cache: Cache, lab_config: Config) -> kernels.Kernel:
    """A kernel that every part of the lab works with."""
    label = "debian-6.12"
    return kernels.prepare(label, lab_config.kernels[label], lab_config.settings, lab_cache)[0]


@pytest.fixture(scope="session")
def trixie_boot(trixie: images.Image, debian_6_12: kernels.Kernel) -> Boot:
    """trixie under 6.12."""
    return Boot(debian_6_12.image, debian_6_12.initrd, debian_6_12.modules_disk, trixie.disk)


@pytest.fixture(scope="session")
def hypervisor(lab_cache: Cache) -> Iterator[Hypervisor]:
    """The only one of this process."""
    with open_hypervisor(EMBED, lab_cache) as opened:
        yield opened


@pytest.fixture(scope="session")
def stage(hypervisor: Hypervisor, trixie_boot: Boot) -> Iterator[Stage]:
    """The tests' guest, kept booted."""
    made = Stage(hypervisor, trixie_boot)
    yield made
    made.close()


@pytest.fixture
def guest(stage: Stage) -> Iterator[Guest]:
    """A pristine guest."""
    yield stage.fresh()
    stage.rest()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, all that needs a browser goes to one process: Chromium takes some 500 MB."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def chromium_browser() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with chromium() as opened:
        yield opened


@pytest.fixture
def browser_report(chromium_browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a run's page: `browser_report(folder, "#cell=...", color_scheme="dark")`.

    When the test has ended, no page may have complained, nor asked the network for anything.
    """
    reader = Reader(chromium_browser)
    yield reader.open
    reader.close()
    reader.assert_quiet()


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a night with every verdict, compared with the night before; seven kernels, fourteen scenarios."""
    folder = tmp_path_factory.mktemp("nights")
    made = ledgers.nights(7, 14)
    before, after = made.before.write(folder / "before"), made.after.write(folder / "after", logs=True)
    write_reports(after, before)
    return after


@pytest.fixture(scope="session")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of three kernels that were probed for real."""
    golden = Path(__file__).parent / "golden" / "surface"
    labels = ("debian-5.10", "debian-6.12", "debian-7.3")
    run = ledgers.write_run(
        tmp_path_factory.mktemp("surfaces"),
        list(ledgers.attempts(labels, ("cpu", "tcp"))),
        kernels=labels,
        scenarios=("cpu", "tcp"),
    )
    (run / "surface").mkdir()
    for label in labels:
        shutil.copy(golden / f"{label}.json", run / "surface")
    write_reports(run)
    return run
