"""When a report would be noise, and where the border between good and bad lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ledgers
import pytest
import upstream_runs as runs

from harness.cache import Cache
from harness.errors import ConfigError, Exit
from harness.matrix.cell import Cell, Outcome, Phase, Reason
from harness.matrix.ledger import Attempt, KernelIdentity
from harness.report.rundir import load
from harness.report.verdicts import judge
from harness.upstream import issue, mail, taint
from harness.upstream.choose import Case, choose
from harness.upstream.draft import Request, write
from harness.upstream.frontier import Axis, tag
from harness.upstream.recipients import STABLE, kernel_files, recipients
from harness.verdict.known import load as load_known
from harness.verdict.order import KernelVersion

CELL = str(runs.CELL)
UDPLITE = "sockets: Sockects collect procedure family AF_INET proto IPPROTO_UDPLITE: -2"
SOCKET = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"


def case(tmp_path: Path, tried: list[Attempt], wanted: str = CELL, **more: Any) -> Case:  # noqa: ANN401
    run = load(runs.write(tmp_path / "run", tried, **more))
    known = load_known()
    return choose(run, wanted, judge(run, known), known.entries, Cache(tmp_path / "cache"))


def forced(
    tmp_path: Path,
    tried: list[Attempt],
    wanted: str = CELL,
    **more: Any,  # noqa: ANN401
) -> tuple[str, dict[str, str]]:
    """The refusal, and what `--force` writes instead."""
    run = runs.write(tmp_path / "run", tried, **more)
    request = Request(run, wanted, runs.SCENARIOS, Cache(tmp_path / "cache"))
    with pytest.raises(ConfigError, match="would be noise") as caught:
        write(request)
    assert caught.value.exit_code == Exit.USAGE
    assert caught.value.hint is not None
    assert "--force" in caught.value.hint
    assert not (run / "upstream").exists()
    drafts = write(replace(request, force=True))
    texts = {
        name: (drafts.directory / name).read_text("utf-8") for name in drafts.files if name != "repro.tar.gz"
    }
    assert "FORCED" in drafts.text()
    assert texts[issue.FILE].startswith("> **Forced.**")
    if mail.FILE in texts:
        assert "\n\nFORCED: this draft was written with --force." in texts[mail.FILE]
    return str(caught.value), texts


def instead(new: Attempt, **changes: Any) -> list[Attempt]:  # noqa: ANN401
    """The usual run with another last word of one cell."""
    rest = [one for one in runs.attempts(**changes) if one.cell != new.cell]
    return [*rest, new]


def test_nothing_speaks_against_a_breakage_between_kernels(tmp_path: Path) -> None:
    found = case(tmp_path, list(runs.attempts()))
    assert found.reasons == ()
    assert found.audience.kernel


@pytest.mark.parametrize(
    ("outcome", "changes", "words"),
    [
        (Outcome.ERROR, {"phase": Phase.BOOT}, "lab error"),
        (Outcome.FLAKY, {"phase": Phase.RESTORE}, "flaky"),
        (Outcome.PASS, {}, "nothing is wrong with this cell"),
        (Outcome.SKIP, {"phase": Phase.DUMP, "reason": Reason.NEED}, "could not be asked"),
    ],
)
def test_what_is_no_failure(tmp_path: Path, outcome: Outcome, changes: dict[str, Any], words: str) -> None:
    refusal, _ = forced(tmp_path, instead(ledgers.attempt(runs.CELL, outcome, **changes)))
    assert words in refusal


def test_a_move_to_an_older_kernel(tmp_path: Path) -> None:
    back = Cell("trixie", "cold", runs.SCENARIO, runs.BAD, runs.GOOD)
    cells = [cell for cell in ledgers.cells(runs.KERNELS, (runs.SCENARIO,)) if not cell.is_baseline]
    tried = [one for c in cells for one in (runs.failed(c) if c == back else [runs.passed(c)])]
    refusal, texts = forced(tmp_path, tried, str(back))
    assert "backward-only" in refusal
    assert "Subject: CRIU: process" in texts[mail.FILE]
    assert "\n#regzbot" not in texts[mail.FILE]


def test_a_state_that_is_lost_on_the_way_back(tmp_path: Path) -> None:
    back = Cell("trixie", "cold", runs.SCENARIO, runs.BAD, runs.GOOD)
    changed: dict[str, Any] = {"phase": Phase.CHECK, "reason": Reason.CHECK, "error": "a byte is another"}
    cells = [cell for cell in ledgers.cells(runs.KERNELS, (runs.SCENARIO,)) if not cell.is_baseline]
    tried = [one for c in cells for one in (runs.failed(c, **changed) if c == back else [runs.passed(c)])]
    assert "backward-only" in forced(tmp_path, tried, str(back))[0]


def test_a_control_that_is_missing(tmp_path: Path) -> None:
    tried = [one for one in runs.attempts() if not one.cell.is_diagonal]
    refusal, _ = forced(tmp_path, tried)
    assert "undetermined" in refusal
    assert "kmatrix run --userlands trixie --scenarios pipes" in refusal


@pytest.mark.parametrize(
    ("label", "taints"), [(runs.BAD, (4096, 4096)), (runs.GOOD, (1, 1)), (runs.BAD, (0, 8192))]
)
def test_a_tainted_kernel(tmp_path: Path, label: str, taints: tuple[int, int]) -> None:
    refusal, texts = forced(tmp_path, list(runs.attempts()), taints={label: taints})
    assert f"tainted kernel: {label} is tainted {max(taints)}" in refusal
    assert f"{max(taints)} (" in texts[mail.FILE]


def test_a_kernel_that_tainted_itself_while_it_failed_is_no_noise(tmp_path: Path) -> None:
    tried = list(
        runs.attempts(reason=Reason.KERNEL, error="the guest's kernel complained of itself: WARNING: x")
    )
    found = case(tmp_path, tried, taints={runs.BAD: (0, 512)})
    assert found.reasons == ()
    assert (
        str(found.evidence.destination.taint) == "0 (not tainted) when the test began, 512 (W) when it ended"
    )


def test_taint_letters() -> None:
    assert taint.letters(1 | 1 << 9 | 1 << 12 | 1 << 13) == "PWOE"
    assert taint.letters(1 << 30) == "[bit 30]"
    assert str(taint.read("[ 1.0] boot\n")).startswith("unknown")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"criu": "4.2"}, "the version of CRIU (4.2 when it worked, 4.1.1 when it failed)"),
        ({"cpu": "Skylake"}, "the processor (Skylake"),
        ({"accelerator": "kvm"}, "the accelerator (kvm"),
        (
            {
                "kernels": {
                    "source": replace(ledgers.identity(runs.GOOD), sha256="f" * 64),
                    "destination": ledgers.identity(runs.GOOD),
                }
            },
            "the other side's kernel, debian-6.12",
        ),
    ],
)
def test_more_than_one_axis(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    good = Cell("trixie", "cold", runs.SCENARIO, runs.GOOD, runs.GOOD)
    refusal, _ = forced(tmp_path, instead(runs.passed(good, **changes)))
    assert "more than one axis changed between good and bad: the kernel, and " + words in refusal


def test_what_is_known_and_fixed(tmp_path: Path) -> None:
    cells = [cell for cell in ledgers.cells(runs.KERNELS, ("tcp",)) if not cell.is_baseline]
    tried = [
        one
        for c in cells
        for one in (
            runs.failed(c, phase=Phase.DUMP, error=UDPLITE) if c.source == runs.BAD else [runs.passed(c)]
        )
    ]
    refusal, texts = forced(tmp_path, tried, f"trixie/cold/tcp/{runs.BAD}→{runs.BAD}")
    assert "known and fixed: it is udplite" in refusal
    assert "fixed in CRIU 4.2.1" in refusal
    assert "udplite" in texts[issue.FILE]


def test_what_nobody_upstream_can_mend(tmp_path: Path) -> None:
    error = "Error (criu/cr-dump.c:210): 20001 has rseq but kernel lacks get_rseq_conf feature"
    labels = ("debian-5.10", runs.GOOD)
    cells = [cell for cell in ledgers.cells(labels, ("cpu",)) if not cell.is_baseline]
    tried = [
        one
        for c in cells
        for one in (
            runs.failed(c, phase=Phase.DUMP, error=error) if c.source == labels[0] else [runs.passed(c)]
        )
    ]
    refusal, _ = forced(tmp_path, tried, f"trixie/cold/cpu/{labels[0]}→{labels[1]}")
    assert "not upstream's: nobody can mend it" in refusal


def test_blame_on_criu_is_never_a_mail(tmp_path: Path) -> None:
    back = Cell("trixie", "cold", "tcp", runs.GOOD, "debian-5.10")
    cells = [c for c in ledgers.cells((back.destination, back.source), ("tcp",)) if not c.is_baseline]
    tried = [one for c in cells for one in (runs.failed(c, error=SOCKET) if c == back else [runs.passed(c)])]
    refusal, texts = forced(tmp_path, tried, "so-buf-lock")
    assert "backward-only" in refusal
    assert mail.FILE not in texts
    assert "it is CRIU's to mend, so there is no mail" in texts[issue.FILE].replace("It is", "it is")


def test_no_older_kernel_that_works(tmp_path: Path) -> None:
    """A kernel that crashes in every move: nothing shows that it ever did better."""
    labels = (runs.BAD,)
    crash: dict[str, Any] = {
        "reason": Reason.KERNEL,
        "error": "the guest's kernel complained of itself: BUG: KASAN: x",
    }
    tried = [
        one
        for c in ledgers.cells(labels, (runs.SCENARIO,))
        if c.is_diagonal
        for one in runs.failed(c, **crash)
    ]
    refusal, texts = forced(tmp_path, tried, f"trixie/cold/pipes/{runs.BAD}→{runs.BAD}")
    assert "no regression is shown" in refusal
    assert "[REGRESSION]" not in texts[mail.FILE]
    assert "Last good:  none in this run" in texts[mail.FILE]


def test_two_builds_of_one_version(tmp_path: Path) -> None:
    patched = KernelIdentity("6.12.48-cloud-amd64", "6.12.117-1", "e" * 64)
    move, own = (Cell("trixie", "cold", runs.SCENARIO, label, "patched") for label in (runs.GOOD, "patched"))
    base = ledgers.identity(runs.GOOD)
    tried = [
        runs.passed(Cell("trixie", "cold", runs.SCENARIO, runs.GOOD, runs.GOOD)),
        runs.passed(own, kernels={"source": patched, "destination": patched}),
        *runs.failed(move, kernels={"source": base, "destination": patched}),
    ]
    found = case(tmp_path, tried, str(move))
    assert found.frontier.range is None
    assert [one for one in found.reasons if "builds of one version, 6.12.117" in one]


def test_what_a_newer_kernel_has_mended(tmp_path: Path) -> None:
    labels = (runs.OLD, runs.GOOD, runs.BAD)
    bad = Cell("trixie", "cold", runs.SCENARIO, labels[0], labels[1])
    cells = [cell for cell in ledgers.cells(labels, (runs.SCENARIO,)) if not cell.is_baseline]
    tried = [one for c in cells for one in (runs.failed(c) if c == bad else [runs.passed(c)])]
    found = case(tmp_path, tried, str(bad))
    assert [one for one in found.reasons if one.startswith("gone in a newer kernel: 7.3.1")]


def test_the_border_is_the_narrowest_and_gaps_are_no_answer(tmp_path: Path) -> None:
    """Good, no answer, bad, another failure, bad: the last good and the first bad of this cause."""
    versions = ("6.1.170-1", "6.6.1-1", "6.12.30-1", "6.12.40-1", "6.12.50-1")
    identities = {
        f"k{n}": KernelIdentity(f"r{n}", version, f"{n}" * 64) for n, version in enumerate(versions)
    }

    def both(cell: Cell) -> dict[str, KernelIdentity]:
        return {"source": identities[cell.source], "destination": identities[cell.destination]}

    row = [Cell("trixie", "cold", runs.SCENARIO, "k0", label) for label in identities]
    tried = [
        runs.passed(row[0], kernels=both(row[0])),
        ledgers.attempt(row[1], Outcome.ERROR, kernels=both(row[1]), phase=Phase.BOOT),
        *runs.failed(row[2], kernels=both(row[2])),
        *runs.failed(row[3], kernels=both(row[3]), error="Error (criu/z.c:1): something else"),
        *runs.failed(row[4], kernels=both(row[4])),
        *(
            runs.passed(
                replace(one, source=one.destination), kernels=both(replace(one, source=one.destination))
            )
            for one in row
        ),
    ]
    found = case(tmp_path, tried, str(row[4])).frontier
    assert found.good is not None
    assert (found.axis, found.good.label, found.bad.label) == (Axis.DESTINATION, "k0", "k2")
    assert [point.failed for point in found.points] == [False, None, True, None, True]
    assert found.range == "v6.1..v6.12"
    assert found.still_there


def test_tags_within_a_stable_series_and_who_hears_of_it(tmp_path: Path) -> None:
    identities = {
        "a": KernelIdentity("a", "6.12.30-1", "a" * 64),
        "b": KernelIdentity("b", "6.12.40-1", "b" * 64),
    }

    def cell(source: str, destination: str) -> tuple[Cell, dict[str, KernelIdentity]]:
        made = Cell("trixie", "cold", runs.SCENARIO, source, destination)
        return made, {"source": identities[source], "destination": identities[destination]}

    (one, first), (two, second), (bad, both) = cell("a", "a"), cell("b", "b"), cell("a", "b")
    tried = [
        runs.passed(one, kernels=first),
        runs.passed(two, kernels=second),
        *runs.failed(bad, kernels=both),
    ]
    found = case(tmp_path, tried, str(bad))
    assert found.frontier.range == "v6.12.30..v6.12.40"
    assert STABLE in recipients("", found.frontier, None).cc


def test_the_axis_of_a_dump_is_the_source(tmp_path: Path) -> None:
    """A dump happens before any move, so every cell of a source tells of it."""
    bad: dict[str, Any] = {"phase": Phase.DUMP, "error": "Error (criu/x.c:1): strange"}
    tried = [
        *runs.failed(Cell("trixie", "cold", runs.SCENARIO, runs.BAD, runs.OLD), **bad),
        # a restore that fails comes after a dump that did not
        *runs.failed(Cell("trixie", "cold", runs.SCENARIO, runs.GOOD, runs.OLD)),
    ]
    found = case(tmp_path, tried, f"trixie/cold/pipes/{runs.BAD}→{runs.OLD}").frontier
    assert found.good is not None
    assert (found.axis, found.good.label, found.bad.label) == (Axis.SOURCE, runs.GOOD, runs.BAD)


@pytest.mark.parametrize(
    ("version", "stable", "wanted"),
    [
        ("6.12.117-1", True, "v6.12.117"),
        ("6.12.117-1", False, "v6.12"),
        ("6.12.0", True, "v6.12"),
        ("7.3~rc2-1~exp1", True, "v7.3-rc2"),
        ("7.3~rc2-1~exp1", False, "v7.3-rc2"),
    ],
)
def test_tags(version: str, stable: bool, wanted: str) -> None:
    assert tag(KernelVersion.of(version), stable=stable) == wanted


def test_words_lead_to_files_of_the_kernel() -> None:
    assert kernel_files("mount(2), propagation of a mount") == ("fs/namespace.c",)
    assert kernel_files("setsockopt(SO_BUF_LOCK)") == ("net/core/sock.c",)
    assert kernel_files("nothing that anybody knows") == ()
