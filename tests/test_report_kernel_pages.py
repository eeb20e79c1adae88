"""What a page says of kernels: from the run's folder alone, and every pair's difference as the lab itself finds it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import ledgers
import pytest

from harness.kernels.kconfig import MATTERS, telling
from harness.matrix import schema
from harness.report import surface_tables
from harness.report.kernel_pages import KernelPages, kernel_pages
from harness.report.rundir import load
from harness.report.surface_tables import BUDGET, NOT_ASKED, size, tables
from harness.surface.diff import Kind, compare
from harness.surface.predict import predictions
from harness.surface.record import Finding, KernelName, Record, read, write
from harness.verdict.known import load as load_known

GOLDEN = Path(__file__).parent / "golden" / "surface"
KNOWN = list(load_known())
LABELS = ("debian-5.10", "debian-6.12", "debian-7.3")


def golden(label: str) -> Record:
    return read(GOLDEN / f"{label}.json")


def many(kernels: int, changes: int) -> list[Record]:
    """Kernels of which each differs from the one before in so many findings, much more than real ones do."""
    chance = random.Random(kernels)
    base = golden("debian-7.3")
    findings = {f"{id}.{n}": one for n in range(6) for id, one in base.findings.items()}
    made = []
    for number in range(kernels):
        release = f"{5 + number // 10}.{number % 10}.0"
        name = KernelName(f"kernel-{release}", release, None, f"{number:064x}")
        made.append(dataclasses.replace(base, kernel=name, findings=dict(findings)))
        for id in chance.sample(sorted(findings), changes):
            findings[id] = Finding(chance.choice(("ok", "ENOENT", "EINVAL")), chance.randrange(9))
    return made


def pages(directory: Path, records: list[Record], **options: dict[str, str]) -> KernelPages:
    labels = tuple(record.kernel.label for record in records)
    run = ledgers.write_run(
        directory, list(ledgers.attempts(labels, ("cpu",))), kernels=labels, scenarios=("cpu",)
    )
    for record in records:
        write(run / "surface" / f"{record.kernel.label}.json", record)
    facts = json.loads((run / "run.json").read_text())
    for kernel in facts["plan"]["kernels"]:
        if kernel["label"] in options:
            kernel["options"] = options[kernel["label"]]
    (run / "run.json").write_text(json.dumps(facts))
    return kernel_pages(load(run), KNOWN)


def records() -> Iterator[Record]:
    yield from map(golden, LABELS)


@pytest.mark.parametrize("made", [list(records()), many(6, 30)], ids=["real", "made up"])
def test_the_tables_tell_of_every_pair_what_the_lab_itself_finds(made: list[Record]) -> None:
    told = tables(made, KNOWN)
    assert told.left_out == ()
    for before, after in itertools.permutations(made, 2):
        found = told.between(before.kernel.label, after.kernel.label)
        wanted = compare(before, after).changes
        for one, change in zip(
            sorted(found, key=lambda o: o.id), sorted(wanted, key=lambda c: c.entry.id), strict=True
        ):
            lists = change.kind in (Kind.GREW, Kind.CHANGED)
            assert (one.id, one.kind, one.breaking) == (change.entry.id, change.kind, change.breaking)
            assert (one.before, one.after) == (str(change.before), str(change.after))
            for shown, items in ((one.gained, change.gained), (one.lost, change.lost)):
                more = (f"{len(items) - 12} more",) if len(items) > 12 else ()
                assert shown == ((*items[:12], *more) if lists else ())
        assert found
    assert told.between(made[0].kernel.label, made[0].kernel.label) == ()


def test_two_kernels_of_one_version_compare_both_ways() -> None:
    first = golden("debian-7.3")
    name = dataclasses.replace(first.kernel, label="patched", sha256="f" * 64)
    other = dataclasses.replace(
        first,
        kernel=name,
        findings={**first.findings, "syscall.rseq": Finding("ENOSYS"), "fd.link.pidfd": Finding("ok", "x")},
    )
    told = tables([first, other], KNOWN)
    assert told.ranks == (0, 0)
    for before, after in ((first, other), (other, first)):
        found = told.between(before.kernel.label, after.kernel.label)
        wanted = compare(before, after).changes
        assert [(one.id, one.kind, one.breaking) for one in found] == [
            (change.entry.id, change.kind, change.breaking) for change in wanted
        ]


def test_an_interface_that_one_probe_does_not_know_is_no_difference() -> None:
    first, second, third = records()
    id = next(iter(compare(first, third).changes)).entry.id
    less = dataclasses.replace(second, findings={k: v for k, v in second.findings.items() if k != id})
    told = tables([first, less, third], KNOWN)
    interface = next(one for one in told.interfaces if one.id == id)
    assert interface.found[1] == NOT_ASKED
    assert id not in {one.id for one in told.between(LABELS[0], LABELS[1])}
    assert id in {one.id for one in told.between(LABELS[0], LABELS[2])}


def test_predictions_are_those_of_every_move() -> None:
    made = list(records())
    told = {
        (one.breakage, one.userland, LABELS[source], LABELS[destination], one.because)
        for one in tables(made, KNOWN).foretold
        for source, destination in one.moves
    }
    wanted = {
        (one.breakage.id, one.userland, one.source, one.destination, one.because)
        for source, destination in itertools.product(made, made)
        for one in predictions(source, destination, KNOWN)
    }
    assert told == wanted != set()


def test_features_are_told_where_kernels_differ_in_them() -> None:
    features = {one.name: one.found for one in tables(list(records()), KNOWN).features}
    assert features["get_rseq_conf"] == (False, True, True)
    assert "mnt_id" not in features


def test_eight_kernels_and_twenty_fit_into_the_budget() -> None:
    for kernels in (8, 20):
        told = tables(many(kernels, 40), KNOWN)
        assert told.left_out == ()
        assert size(told) < BUDGET


def test_what_does_not_fit_is_left_out_with_words() -> None:
    made = many(8, 60)
    sizes = []
    for budget in (BUDGET, 30_000, 5_000, 1_000):
        told = tables(made, KNOWN, budget)
        sizes.append(size(told))
        assert bool(told.left_out) is (budget < BUDGET)
        assert sizes[-1] <= budget
    assert told.left_out[-1] == "the differences themselves"
    assert told.kernels == tuple(record.kernel.label for record in made)


def test_the_compact_form_is_plain_json_that_holds_all() -> None:
    told = tables(list(records()), KNOWN)
    document = told.as_json()
    assert json.loads(json.dumps(document)) == document
    assert len(document["interfaces"]) == len(told.interfaces)
    first = document["interfaces"][0]
    assert first[:2] == [told.interfaces[0].id, told.interfaces[0].what]
    assert {len(one[4]) for one in document["interfaces"]} == {3}
    assert {bool(flag) for one in document["interfaces"] for _, _, _, flag, _, _ in one[5]} == {True, False}


def test_a_kernel_has_its_origin_its_options_and_its_surface(tmp_path: Path) -> None:
    on = dict.fromkeys(MATTERS, "y")
    options = {"debian-5.10": {**on, "TIME_NS": "n"}, "debian-6.12": {**on, "TUN": "n", "HZ": "250"}}
    found = pages(tmp_path / "run", list(records()), **options)
    old, middle, new = found.kernels
    assert (old.label, middle.release) == ("debian-5.10", "6.12.48-cloud-amd64")
    assert found.differing == ("HZ", "TIME_NS", "TUN")
    assert [line.partition(":")[0] for line in middle.lacks] == ["CONFIG_TUN is off"]
    assert [line.partition(":")[0] for line in old.lacks] == ["CONFIG_TIME_NS is off"]
    assert (new.options, new.lacks) == ({}, ())
    surface = new.surface
    assert surface is not None
    assert surface.there + surface.absent + surface.unanswered == len(golden("debian-7.3").findings)
    assert surface.there > surface.absent > 0
    assert sum(total for _, _, total in surface.families) == len(golden("debian-7.3").findings)
    assert sum(there for _, there, _ in surface.families) == surface.there
    (check,) = surface.checks
    assert (check.userland, check.version, check.said) == ("trixie", "4.1.1", ("Looks good.",))
    assert len(check.missing) == check.asked - check.features > 0
    assert (tmp_path / "run" / surface.record).is_file()


def test_a_run_from_before_surfaces_and_options_still_has_its_kernels(tmp_path: Path) -> None:
    run = ledgers.write_run(tmp_path / "run", list(ledgers.attempts(LABELS, ("cpu",))), kernels=LABELS)
    found = kernel_pages(load(run), KNOWN)
    assert [one.label for one in found.kernels] == list(LABELS)
    assert all(one.surface is None and not one.options and not one.lacks for one in found.kernels)
    assert found.tables == surface_tables.SurfaceTables()
    (run / "run.json").unlink()
    assert kernel_pages(load(run), KNOWN).kernels[0].release == ledgers.identity(LABELS[0]).release


def test_a_damaged_record_is_told_and_the_others_are_there(tmp_path: Path) -> None:
    pages(tmp_path / "run", list(records()))
    (tmp_path / "run/surface/debian-6.12.json").write_text('{"\x1b[31m')
    found = kernel_pages(load(tmp_path / "run"), KNOWN)
    assert found.tables.kernels == ("debian-5.10", "debian-7.3")
    assert len(found.troubles) == 1
    assert "debian-6.12.json" in found.troubles[0]


def test_hostile_names_and_findings_are_made_visible(tmp_path: Path) -> None:
    record = golden("debian-7.3")
    dirt = "\x1b[31m\u202e</script>"
    findings = {
        **record.findings,
        f"syscall.{dirt}": Finding("ok", dirt),
        "fd.link.pidfd": Finding("ok", (dirt, "b")),
    }
    other = dataclasses.replace(record, kernel=KernelName(dirt, dirt, None, dirt), findings=findings)
    third = dataclasses.replace(other, findings={**findings, f"syscall.{dirt}": Finding("ENOSYS")})
    told = tables(
        [record, other, dataclasses.replace(third, kernel=KernelName("c", "9.9", None, "0"))], KNOWN
    )
    text = json.dumps(told.as_json()["interfaces"], ensure_ascii=False)
    assert "\\\\x1b" in text
    assert not any(character in text for character in "\x1b\u202e")
    run = ledgers.write_run(tmp_path / "run", list(ledgers.attempts(("a",), ("cpu",))), kernels=("a",))
    shutil.copy(GOLDEN / "debian-7.3.json", tmp_path / "a.json")
    facts = json.loads((run / "run.json").read_text())
    facts["plan"]["kernels"] = [
        {
            "label": "../a",
            "release": dirt,
            "provenance": {"origin": dirt, "packages": [[dirt, "0"]]},
            "options": {dirt: dirt},
        }
    ]
    (run / "run.json").write_text(json.dumps(facts))
    (page, _) = kernel_pages(load(run), KNOWN).kernels
    assert page.surface is None, "a label is no way out of the run's folder"
    shown = "".join(
        [page.release, *itertools.chain(*page.provenance), *itertools.chain(*page.options.items())]
    )
    assert "\\x1b" in shown
    assert not any(character in shown for character in "\x1b\u202e")


def test_what_a_run_writes_down_of_a_configuration_keeps_to_the_schema() -> None:
    options = telling({"TUN": "m", "HZ": "250", "E1000": "y"})
    assert options["TUN"] == "m"
    assert options["KCMP"] == "n"
    assert "E1000" not in options
    kernel = schema.schema("run")["properties"]["plan"]["properties"]["kernels"]["items"]["properties"]
    assert kernel["options"]["additionalProperties"] == {"type": "string"}
