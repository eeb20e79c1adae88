"""Engines: their command lines and settings, what they say when they cannot, and what they make of CRIU's exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.config import Timeouts
from harness.errors import ConfigError, GuestCommandFailed
from harness.matrix.workloads import NAMESPACES, contained, load
from harness.migration import engine_containers as containers
from harness.migration.engine import Engine, engine_of
from harness.migration.engine_containers import CRUN, LXC, PODMAN, RUNC, Container
from harness.migration.site import CriuRun, Site
from harness.scenario import Needs, Scenario, Workload
from harness.witness import advance, assert_same_process

SCENARIOS = Path(__file__).parent.parent / "scenarios"
ENGINES: tuple[Container, ...] = (RUNC, CRUN, PODMAN, LXC)
OPTIONS = ("--tcp-established", "--skip-in-flight", "--ghost-limit=2M")


def engine(name: str) -> Engine:
    return engine_of(Scenario(command=("bin/tcp",), engine=name))


def ended(code: int) -> CriuRun:
    return CriuRun(("runc", "checkpoint"), code, 1.0, "5.0")


def test_criu_is_what_a_scenario_gets_that_names_no_engine() -> None:
    assert engine_of(Scenario(command=("x",))).name == "criu"


@pytest.mark.parametrize("container", ENGINES, ids=lambda one: one.name)
def test_each_engine_is_found_by_its_name(container: Container) -> None:
    assert engine(container.name).name == container.name


def test_an_unknown_engine_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="no engine 'docker'; there are: criu, runc, crun, podman, lxc"):
        engine("docker")


def test_the_shell_in_a_container_gives_way_to_the_workload() -> None:
    shell, option, line = containers.program(("bin/x", "two words"))
    assert (shell, option) == ("/bin/sh", "-c")
    assert line == "exec /bin/x 'two words' </dev/null >stdout.log 2>&1"


def test_criu_reads_the_scenario_s_options_in_its_own_file() -> None:
    (text,) = containers.settings(OPTIONS).values()
    assert text.splitlines() == ["tcp-established", "skip-in-flight", "ghost-limit 2M"]


@pytest.mark.parametrize("container", [RUNC, CRUN, PODMAN], ids=lambda one: one.name)
def test_what_an_engine_would_turn_off_it_is_told_to_leave_on(container: Container) -> None:
    for argv in (container.dump(OPTIONS), container.restore(OPTIONS)):
        assert "--tcp-established" in argv
        assert "--skip-in-flight" not in argv
    assert "--tcp-established" not in container.dump(())


@pytest.mark.parametrize("container", ENGINES, ids=lambda one: one.name)
def test_what_travels_lies_below_work_and_what_is_dumped_below_checkpoint(container: Container) -> None:
    assert all(path.startswith("/work/container/") for path in container.files(("bin/tcp",)))
    for argv in (container.dump(()), container.restore(())):
        assert any(word.startswith("/checkpoint/images") for word in argv), argv


def test_the_exact_command_lines_of_runc() -> None:
    log = ("runc", "--log", "/checkpoint/logs/runc.log")
    paths = ("--image-path", "/checkpoint/images", "--work-path", "/checkpoint/logs")
    place = ("--pid-file", "/run/kmatrix/container.pid", "--bundle", "/work/container")
    assert RUNC.start(("bin/tcp",)) == (*log, "run", "--detach", *place, "kmatrix")
    assert RUNC.dump(()) == (*log, "checkpoint", *paths, "kmatrix")
    assert RUNC.restore(()) == (*log, "restore", "--detach", *paths, *place, "kmatrix")


def test_podman_loads_the_image_before_it_starts_or_restores() -> None:
    (name,) = PODMAN.prepare()
    assert PODMAN.prepare()[name][-2:] == ("--input", "/work/container/image.tar")
    assert PODMAN.made_once == (("image", "localhost/kmatrix:latest"),)
    assert PODMAN.restore(())[-1] == PODMAN.dump(())[-2] == "/checkpoint/images/checkpoint.tar"


def test_only_runc_joins_a_network_namespace_that_the_lab_makes() -> None:
    def network(container: Container) -> dict[str, str]:
        (text,) = container.files(("bin/tcp",)).values()
        (found,) = (one for one in json.loads(text)["linux"]["namespaces"] if one["type"] == "network")
        return dict(found)

    assert network(RUNC) == {"type": "network", "path": "/run/netns/kmatrix"}
    assert RUNC.made_again == (("network", "kmatrix"),)
    assert network(CRUN) == {"type": "network"}
    assert CRUN.made_again == ()


def test_a_bundle_mounts_the_volume_where_the_workload_runs() -> None:
    spec = containers.runtime_spec(("bin/tcp",), None)
    (volume,) = (mount for mount in spec["mounts"] if mount["type"] == "bind")
    assert (volume["source"], volume["destination"]) == ("/work/volume", spec["process"]["cwd"])
    assert spec["process"]["args"] == list(containers.program(("bin/tcp",)))


def test_lxc_has_neither_console_nor_ttys() -> None:
    (text,) = LXC.files(("bin/tcp",)).values()
    assert {"lxc.console.path = none", "lxc.tty.max = 0"} <= set(text.splitlines())
    assert LXC.start(("bin/tcp",))[-3:] == containers.program(("bin/tcp",))


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("crun", "could not load `libcriu.so.2`: No such file or directory"),
        ("crun", "unknown command checkpoint"),
        ("podman", "Error: configured runtime does not support checkpoint/restore"),
        ("podman", "before\nError: runtime crun does not support checkpoint/restore\n"),
    ],
)
def test_an_engine_that_was_built_without_it_says_so(name: str, output: str) -> None:
    said = engine(name).incapable(output)
    assert said is not None
    assert said in output
    assert "\n" not in said


@pytest.mark.parametrize("name", ["criu", "runc", "crun", "podman", "lxc"])
def test_a_failed_dump_is_no_missing_ability(name: str) -> None:
    assert (
        engine(name).incapable("criu failed: type NOTIFY errno 0\nlog file: /checkpoint/logs/dump.log")
        is None
    )


def test_an_engine_s_own_failure_is_told_in_its_last_words() -> None:
    output = "warning\nError: cannot export: no space left\n"
    complaint = engine("podman").complaint(ended(125), output)
    assert complaint == "podman ended with 125: Error: cannot export: no space left"
    assert engine("podman").complaint(ended(1), "") == "podman ended with 1: it said nothing"
    assert engine("podman").complaint(ended(0), output) is None


def test_criu_s_exit_code_is_no_complaint() -> None:
    assert engine("criu").complaint(ended(1), "anything") is None


class Empty(Site):
    """A site whose engine knows of no container."""

    def __init__(self) -> None:
        self._timeouts = Timeouts()

    def find(self, argv: tuple[str, ...]) -> tuple[int, int]:
        raise GuestCommandFailed(f"container find ended with 64: {argv[0]} printed nothing")


def test_a_container_that_is_not_there_is_a_failed_check_and_no_error_of_the_lab() -> None:
    scenario = Scenario(command=("x",), engine="runc")
    with pytest.raises(
        AssertionError, match=r"runc has no container after the restore: .* cat printed nothing"
    ):
        engine_of(scenario).restored(Empty(), None, scenario)  # type: ignore[arg-type]


def test_a_container_s_process_is_known_by_its_own_pid() -> None:
    before = {"pid": 1, "remembered_pid": 1, "nonce": "n", "ticks": 1, "chain": 7}
    after = before | {"ticks": 2, "chain": advance(7, 1)}
    assert_same_process(Workload(None, 230, inner=1), before, after)
    with pytest.raises(AssertionError, match="another pid"):
        assert_same_process(Workload(None, 230, inner=2), before, after)
    with pytest.raises(AssertionError, match="another pid"):
        assert_same_process(Workload(None, 230), before, after)


def test_a_contained_scenario_needs_what_both_need() -> None:
    inside = Scenario(
        command=("bin/x",),
        own_network=True,
        criu=("--tcp-established",),
        needs=Needs(packages=("a",), config=("CONFIG_A",), kernel="4.5", features=("f",)),
    )
    found = contained(inside, "runc", Needs(packages=("runc",), kernel="5.2"))
    assert (found.engine, found.command, found.criu) == ("runc", inside.command, inside.criu)
    assert found.needs == Needs(("a", "runc"), ("CONFIG_A", *NAMESPACES), "5.2", ("f",))
    assert found.tags == ("container", "network")
    assert not found.own_network


@pytest.mark.parametrize("name", ["runc", "crun_tcp", "podman", "lxc_tcp"])
def test_a_container_is_checked_as_the_workload_inside_is(name: str) -> None:
    reference = load(SCENARIOS / f"{name}.py")
    assert reference.inside is not None
    assert reference.corruptions == reference.inside.corruptions
    assert reference.corruptions
    assert reference.sources == reference.inside.sources
    assert reference.sha256 != reference.inside.sha256


def test_a_change_of_the_workload_inside_changes_the_container_s_identity(tmp_path: Path) -> None:
    for name in ("runc.py", "threads.py", "threads.c", "workload.h"):
        (tmp_path / name).write_bytes((SCENARIOS / name).read_bytes())
    before = load(tmp_path / "runc.py").sha256
    (tmp_path / "threads.py").write_text((SCENARIOS / "threads.py").read_text() + "\n# another check\n")
    assert load(tmp_path / "runc.py").sha256 != before
