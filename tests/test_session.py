"""What surrounds a run: what it is to do, how many guests fit, its folder, what it tells."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import ledgers
import pytest

from harness.cache import Cache
from harness.errors import ConfigError, HostError
from harness.kernels.kernel import Kernel, Provenance
from harness.matrix.cell import Cell, Isolation, Outcome
from harness.matrix.lab import Lab
from harness.matrix.workloads import Subject
from harness.session import rundir
from harness.session.capacity import OVERHEAD, SPARE, Capacity, capacity
from harness.session.progress import Lines, make_progress
from harness.session.selection import Options, choose, resumed

MIB = 1 << 20
CELL = Cell("trixie", "cold", "cpu", "debian-6.1-oldest", "debian-6.12")
ROOT = Path(__file__).parent.parent


def test_slots_are_bound_by_cores_and_by_memory() -> None:
    guest = 512 * MIB
    room_for = lambda guests: guests * (guest + OVERHEAD) + SPARE  # noqa: E731
    assert capacity(guest, None, available=room_for(40), cores=2) == Capacity(slots=2, room=19)
    assert capacity(guest, None, available=room_for(4), cores=16) == Capacity(slots=2, room=1)
    assert capacity(guest, 3, available=room_for(6), cores=1) == Capacity(slots=3, room=1)


def test_a_host_without_memory_for_two_guests_is_told_so() -> None:
    with pytest.raises(HostError, match="two guests of 512 MiB need"):
        capacity(512 * MIB, None, available=900 * MIB, cores=2)


def options(**more: object) -> Options:
    return Options(
        config=ROOT / "kernels.yaml",
        scenario_directory=ROOT / "scenarios",
        **more,  # type: ignore[arg-type]
    )


def test_the_quick_profile_is_what_the_readme_says(tmp_path: Path) -> None:
    chosen = choose(options(), Cache(tmp_path))
    assert chosen.userlands == ("trixie",)
    assert chosen.kernels == ("debian-5.10", "debian-6.1-oldest", "debian-6.1", "debian-6.12", "debian-7.3")
    assert chosen.scenarios == ("cpu", "pipes", "python", "redis", "tcp", "threads")


def test_the_command_line_goes_before_the_profile_and_kernels_keep_their_order(tmp_path: Path) -> None:
    chosen = choose(options(kernels="debian-7.3,debian-6.1*", scenarios="t*"), Cache(tmp_path))
    assert chosen.kernels == ("debian-6.1-oldest", "debian-6.1", "debian-6.12", "debian-6.16", "debian-6.17",
                              "debian-6.18", "debian-6.19", "debian-7.3")  # fmt: skip
    assert {"tcp", "threads"} <= set(chosen.scenarios)
    assert all(name.startswith("t") for name in chosen.scenarios)


def test_scenarios_are_chosen_by_name_and_by_tag(tmp_path: Path) -> None:
    apps = set(choose(options(scenarios="tag:app"), Cache(tmp_path)).scenarios)
    assert {"python", "redis"} <= apps
    assert not apps & {"cpu", "pipes"}
    assert set(choose(options(scenarios="cpu,tag:ap*"), Cache(tmp_path)).scenarios) == apps | {"cpu"}
    with pytest.raises(ConfigError, match=r"no tag matches 'aps'; did you mean app\?"):
        choose(options(scenarios="cpu,tag:aps"), Cache(tmp_path))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"profile": "fast"}, "there is no profile 'fast'; there are: quick"),
        ({"jobs": 0}, "--jobs 0"),
        ({"kernels": "debian-99"}, "debian-99"),
        ({"userlands": "sarge"}, "sarge"),
        ({"scenarios": "quake"}, "quake"),
    ],
)
def test_a_wrong_wish_is_told_before_anything_is_fetched(
    wrong: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(options(**wrong), Cache(tmp_path / "cache"))
    assert words in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_resumed_run_keeps_its_plan_unless_told_otherwise(tmp_path: Path) -> None:
    directory = ledgers.write_run(tmp_path / "run", [ledgers.attempt(CELL)])
    record = rundir.read(directory)
    assert record is not None
    again = resumed(options(scenarios="cpu"), record)
    assert again.kernels == ",".join(kernel["label"] for kernel in record["plan"]["kernels"])
    assert again.scenarios == "cpu"
    assert again.isolation is Isolation(record["plan"]["isolation"])


def test_latest_moves_on_and_the_newest_unfinished_run_is_found(tmp_path: Path) -> None:
    names = ("20260101-000000-aaaa", "20260102-000000-bbbb", "20260103-000000-cccc")
    for name, finished in zip(names, (None, None, "2026-01-03T01:00:00+00:00"), strict=True):
        directory = rundir.make_directory(tmp_path / name)
        rundir.write(directory, {"finished": finished})
        rundir.point_latest(directory)
    assert (tmp_path / "latest").resolve().name == names[-1]
    assert rundir.last_unfinished(tmp_path).name == names[1]
    assert rundir.to_resume(tmp_path / names[0], tmp_path).name == names[0]


def test_two_runs_in_folders_of_one_name_are_two_runs(tmp_path: Path) -> None:
    mine, yours = rundir.identity(tmp_path / "mine" / "run"), rundir.identity(tmp_path / "yours" / "run")
    assert mine != yours
    own = rundir.new_directory(tmp_path)
    assert rundir.identity(own) == own.name
    rundir.write(own, {"id": "as it began", "finished": None})
    assert rundir.identity(own) == "as it began"


def test_a_scenario_that_changed_ends_a_resumed_run(tmp_path: Path) -> None:
    record = rundir.read(ledgers.write_run(tmp_path, [ledgers.attempt(CELL)]))
    assert record is not None
    known = record["plan"]["workloads"]["cpu"]
    lab = cast("Lab", SimpleNamespace(scenarios={"cpu": SimpleNamespace(sha256=known)}))
    rundir.check_same_workloads(record, lab)
    lab.scenarios["cpu"] = cast("Subject", SimpleNamespace(sha256="other"))
    with pytest.raises(ConfigError, match="scenario cpu is no longer what it was"):
        rundir.check_same_workloads(record, lab)
    del record["plan"]["workloads"]  # a run of an older kmatrix
    rundir.check_same_workloads(record, lab)


def test_nothing_to_resume_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to resume"):
        rundir.to_resume(None, tmp_path)
    with pytest.raises(ConfigError, match="holds no run"):
        rundir.to_resume(tmp_path, tmp_path)


def test_a_run_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot make the run's folder"):
        rundir.make_directory(tmp_path / "file" / "run")


def test_run_json_is_whole_or_absent(tmp_path: Path) -> None:
    assert rundir.read(tmp_path) is None
    rundir.write(tmp_path, {"finished": None, "id": "→"})
    assert json.loads((tmp_path / "run.json").read_text())["id"] == "→"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_lines_for_a_log_count_and_show_reds_with_hostile_text_escaped() -> None:
    stream = io.StringIO()
    progress = make_progress(stream=stream)
    assert isinstance(progress, Lines)
    progress.start(2)
    progress.tell(ledgers.attempt(CELL, Outcome.FAIL, error="\x1b[31mred\x00"))
    progress.tell(ledgers.attempt(CELL))
    said = stream.getvalue()
    assert "\x1b" not in said
    assert "\x00" not in said
    assert "2 of 2 cells: 1 pass, 1 fail; 0:00 left" in said


def test_a_run_writes_down_what_of_a_configuration_matters_and_nothing_where_there_is_none() -> None:
    here = Path("/")
    made = Kernel("a", "6.1", None, here, None, None, None, here, "0" * 64, Provenance("here", "1" * 64))
    hardware = SimpleNamespace(accelerator="tcg", cpu="x", memory=512, vcpus=1, kernel_arguments=())
    lab: Any = SimpleNamespace(
        run_id="one",
        kernels={"a": made, "b": made},
        options={"a": {"TUN": "m", "E1000": "y"}, "b": None},
        hypervisor=SimpleNamespace(versions={}),
        hardware=hardware,
        scenarios={},
        isolation=Isolation.RESET,
        confirm="cell",
        images={},
    )
    selection: Any = SimpleNamespace(userlands=(), kernels=("a", "b"), scenarios=(), suite=None, modes=())
    first, second = rundir.describe(lab, selection, slots=1, cells=0, started="now")["plan"]["kernels"]
    assert first["options"]["TUN"] == "m"
    assert first["options"]["UNIX_DIAG"] == "n"
    assert "E1000" not in first["options"]
    assert "options" not in second
