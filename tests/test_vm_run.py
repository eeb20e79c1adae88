"""Whole runs with real kernels and real CRIU: what comes out, and what trouble in the middle costs."""

from __future__ import annotations

import json
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import CHROMIUM, Reader, chromium, violations
from kmatrix_process import ROOT, guests_of, roots_of, run, start, wait_for_lines
from playwright.sync_api import expect

from harness.cache import Cache
from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.ledger import final_states, read
from harness.matrix.schema import check_run

pytestmark = pytest.mark.vm

PAIR = ("--kernels", "debian-6.1,debian-6.12")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A run of two kernels: how it ended, and its folder."""
    directory = tmp_path_factory.mktemp("pair") / "run"
    return run("run", *PAIR, "--scenarios", "cpu,tcp", "--run-dir", str(directory)), directory


def test_a_matrix_of_two_kernels_passes_and_leaves_all_its_evidence(
    pair: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, directory = pair
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 cells: 12 pass" in done.stdout
    assert check_run(directory) == []
    states = final_states(read(directory))
    assert len(states) == 12
    assert {attempt.outcome for attempt in states.values()} == {Outcome.PASS}
    forward = states[Cell("trixie", "cold", "tcp", "debian-6.1", "debian-6.12")]
    assert forward.kernels["source"].release.startswith("6.1.")
    assert forward.kernels["destination"].release.startswith("6.12.")
    assert "Restore finished successfully" in (directory / forward.logs["restore"]).read_text()
    assert "Dumping finished successfully" in (directory / forward.logs["dump"]).read_text()
    assert "--tcp-established" in (directory / forward.logs["commands"]).read_text()
    assert forward.image_bytes is not None
    assert forward.image_bytes > 100_000
    facts = json.loads((directory / "run.json").read_text())
    assert facts["finished"] is not None
    assert "debian-6.12" in (directory / "index.html").read_text()
    shown = run("show", "trixie/cold/tcp/debian-6.1->debian-6.12", "--run", str(directory))
    assert shown.returncode == 0, shown.stderr
    assert "pass" in shown.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_report_of_a_real_run_is_walked_in_a_browser(
    pair: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, directory = pair
    final = final_states(read(directory))[Cell("trixie", "cold", "tcp", "debian-6.1", "debian-6.12")]
    with chromium() as browser:
        reader = Reader(browser)
        page = reader.open(directory)
        page.locator('[role=gridcell][tabindex="0"]').focus()
        for key in ("Control+Home", "End", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#drawer-title")).to_have_text("debian-6.1 → debian-6.12")
        page.locator("#drawer .cells a", has_text="tcp").click()
        sheet = page.locator("#drawer")
        expect(sheet.locator(".copy code").first).to_have_text(f"kmatrix repro '{final.cell}'")
        links = sheet.locator(".attempts a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert {directory / unquote(link) for link in links} == {
            directory / log for log in final.logs.values()
        }
        assert all((directory / unquote(link)).is_file() for link in links)
        assert violations(page) == []
        reader.close()
    reader.assert_quiet()


def test_a_true_red_is_tried_again_in_a_fresh_guest_and_then_believed(tmp_path: Path) -> None:
    """5.10 has rseq but not PTRACE_GET_RSEQ_CONFIGURATION (5.13): CRIU refuses to dump (criu-breakages row 8)."""
    directory = tmp_path / "run"
    done = run(
        "run",
        "--kernels",
        "debian-5.10",
        "--scenarios",
        "threads",
        "--run-dir",
        str(directory),
        "--fail-on",
        "breakage",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    attempts = [a for a in read(directory) if not a.cell.is_baseline]
    assert [(a.attempt, a.isolation, a.final) for a in attempts] == [
        (1, Isolation.RESET, False),
        (2, Isolation.BOOT, True),
    ]
    assert {(a.outcome, a.phase) for a in attempts} == {(Outcome.FAIL, Phase.DUMP)}
    assert all(a.error and "has rseq but kernel lacks get_rseq_conf" in a.error for a in attempts)
    baseline = final_states(read(directory))[Cell.baseline("trixie", "threads", "debian-5.10")]
    assert baseline.outcome is Outcome.PASS
    again = run("run", "--resume", "--run-dir", str(directory))
    assert again.returncode == 0, "a red that is known makes no red exit code without --fail-on"


def test_pytest_selects_cells_as_it_selects_tests_and_controls_come_along(tmp_path: Path) -> None:
    """One cell selected by -k: both baselines and both diagonals are run, too, and only the cell is an item."""
    directory, junit = tmp_path / "run", tmp_path / "junit.xml"
    done = run(
        "run", *PAIR, "--scenarios", "threads", "--run-dir", str(directory), "--junitxml", str(junit),
        "-k", "cold and from:debian-6.1:",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cases = ET.parse(junit).getroot().iter("testcase")
    assert sorted(case.attrib["name"] for case in cases) == [
        "trixie/cold/threads/debian-6.1→debian-6.1",
        "trixie/cold/threads/debian-6.1→debian-6.12",
    ]
    assert {str(cell) for cell in final_states(read(directory))} == {
        "trixie/baseline/threads/debian-6.1",
        "trixie/baseline/threads/debian-6.12",
        "trixie/cold/threads/debian-6.1→debian-6.1",
        "trixie/cold/threads/debian-6.1→debian-6.12",
        "trixie/cold/threads/debian-6.12→debian-6.12",
    }


def test_an_interrupted_run_goes_on_where_it_stopped_and_a_damaged_checkpoint_is_made_again(
    tmp_path: Path,
) -> None:
    directory, log = tmp_path / "run", tmp_path / "log"
    process = start("run", *PAIR, "--scenarios", "cpu", "--run-dir", str(directory), "--jobs", "1", log=log)
    wait_for_lines(directory / "results.jsonl", 3, process)
    roots = roots_of(process.pid)
    assert len(roots) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, log.read_text()
    assert guests_of(roots[0]) == []
    assert not Path(roots[0]).exists()
    before = list(read(directory))
    assert check_run(directory) == []
    assert json.loads((directory / "run.json").read_text())["finished"] is None
    damaged = _damage_checkpoints(json.loads((directory / "run.json").read_text())["id"])
    done = run("run", "--resume", "--run-dir", str(directory))
    assert done.returncode == 0, done.stdout + done.stderr
    after = list(read(directory))
    assert after[: len(before)] == before
    assert not {a.cell for a in before if a.final} & {a.cell for a in after[len(before) :]}
    states = final_states(after)
    assert len(states) == 6
    assert {a.outcome for a in states.values()} == {Outcome.PASS}
    assert damaged, "no checkpoint had been made when the run was interrupted"
    assert not any(path.exists() for path in damaged), "a finished run needs its checkpoints no longer"


def _damage_checkpoints(run_id: str) -> list[Path]:
    """Flip one bit in the middle of each checkpoint of a run."""
    damaged = []
    for manifest in Cache().root.glob("checkpoints/*/manifest.json"):
        if json.loads(manifest.read_text())["origin"]["run"] == run_id:
            data = manifest.with_name("checkpoint.tar")
            content = bytearray(data.read_bytes())
            content[len(content) // 2] ^= 1
            data.write_bytes(content)
            damaged.append(data)
    return damaged


def test_a_killed_qemu_costs_an_attempt_and_not_the_run(tmp_path: Path) -> None:
    directory, log = tmp_path / "run", tmp_path / "log"
    process = start(
        "run", "--kernels", "debian-6.12", "--scenarios", "cpu,threads,pipes", "--run-dir", str(directory),
        "--jobs", "1", log=log,
    )  # fmt: skip
    wait_for_lines(directory / "results.jsonl", 1, process)
    for qemu in guests_of(roots_of(process.pid)[0]):
        qemu.kill()
    assert process.wait(600) == 0, log.read_text()
    attempts = list(read(directory))
    lost = [a for a in attempts if a.outcome is Outcome.ERROR]
    assert lost, "the guest was killed between two attempts"
    assert all(not a.final and a.error and "QEMU" in a.error for a in lost)
    assert {a.outcome for a in final_states(attempts).values()} == {Outcome.PASS}


def test_a_killed_harness_is_swept_by_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log"
    directory = tmp_path / "killed"
    process = start(
        "run",
        "--kernels",
        "debian-6.12",
        "--scenarios",
        "cpu",
        "--run-dir",
        str(directory),
        "--jobs",
        "1",
        log=log,
    )
    wait_for_lines(directory / "results.jsonl", 1, process)
    roots = roots_of(process.pid)
    process.kill()
    process.wait(10)
    assert guests_of(roots[0]), "libvirt ended the guest by itself"
    swept = run(
        "run",
        "--kernels",
        "debian-6.12",
        "--scenarios",
        "cpu",
        "-k",
        "baseline",
        "--run-dir",
        str(tmp_path / "next"),
    )
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert guests_of(roots[0]) == []
    assert not Path(roots[0]).exists()


def test_the_readme_run_needs_no_terminal_and_names_its_folder() -> None:
    """`latest` leads to the newest run in the checkout."""
    done = run(
        "run", "--kernels", "debian-6.12", "--scenarios", "threads", "-k", "baseline", "--isolation", "shared"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    latest = ROOT / "reports" / "latest"
    assert latest.is_symlink()
    assert done.stdout.endswith(f"reports/{latest.resolve().name}/index.html\n")
