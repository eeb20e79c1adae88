"""The store of checkpoints: what is not exactly what was dumped is never given out."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from pathlib import Path

import pytest

from harness.cache import Cache, sha256_of
from harness.errors import CheckpointDamaged
from harness.migration.checkpoint import Checkpoint, CheckpointStore, Manifest, Origin

ORIGIN = Origin(
    run="r1",
    userland="trixie",
    userland_sha256="a" * 64,
    criu="4.1.1",
    kernel_sha256="b" * 64,
    kernel_release="6.12.117+deb13-cloud-amd64",
    scenario="cpu",
    scenario_sha256="c" * 32,
    accelerator="tcg",
    cpu="Haswell-noTSX",
    kernel_command_line="mitigations=off",
)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(Cache(tmp_path / "cache"))


def put(
    store: CheckpointStore, path: Path, *, data: bytes = b"memory" * 1000, origin: Origin = ORIGIN
) -> Checkpoint:
    tar = path / "checkpoint.tar"
    tar.write_bytes(data)
    manifest = Manifest(
        origin=origin,
        sha256=sha256_of(tar),
        bytes=len(data),
        pid=20001,
        uptime="12.34",
        dump_command=("criu", "dump"),
        workload_command=("./bin/cpu",),
        facts={"hash": "1f", "numbers": (1, 2.5, None), 10: "ten", 9: {"deep": [True]}},  # type: ignore[dict-item]
        dump_seconds=0.25,
        image_bytes=4096,
    )
    return store.put(manifest, tar)


def entries(store: CheckpointStore) -> set[str]:
    return {p.name for p in (store._cache.root / "checkpoints").iterdir() if p.name != "index"}


def test_what_is_put_is_got(store: CheckpointStore, tmp_path: Path) -> None:
    made = put(store, tmp_path)
    assert not (tmp_path / "checkpoint.tar").exists()
    got = store.get(ORIGIN)
    assert got == made
    assert got.data.read_bytes() == b"memory" * 1000
    assert got.manifest.facts == {"hash": "1f", "numbers": [1, 2.5, None], "10": "ten", "9": {"deep": [True]}}
    assert got.manifest.dump_command == ("criu", "dump")


def test_nothing_is_got_where_nothing_was_put(store: CheckpointStore) -> None:
    assert store.get(ORIGIN) is None
    store.drop(ORIGIN)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Origin)])
def test_every_part_of_the_origin_counts(store: CheckpointStore, tmp_path: Path, field: str) -> None:
    put(store, tmp_path)
    assert store.get(dataclasses.replace(ORIGIN, **{field: "other"})) is None
    assert store.get(ORIGIN) is not None


def test_the_second_of_one_origin_takes_the_place_of_the_first(
    store: CheckpointStore, tmp_path: Path
) -> None:
    put(store, tmp_path)
    put(store, tmp_path, data=b"later")
    got = store.get(ORIGIN)
    assert got is not None
    assert got.data.read_bytes() == b"later"


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "one bit at the start": lambda made: flip(made.data, 0),
    "one bit in the middle": lambda made: flip(made.data, 3000),
    "one bit at the end": lambda made: flip(made.data, -1),
    "truncated": lambda made: os.truncate(made.data, 5999),
    "longer": lambda made: made.data.write_bytes(made.data.read_bytes() + b"\0"),
    "empty": lambda made: made.data.write_bytes(b""),
    "no data": lambda made: made.data.unlink(),
    "no manifest": lambda made: (made.data.parent / "manifest.json").unlink(),
    "a torn manifest": lambda made: os.truncate(made.data.parent / "manifest.json", 100),
    "a manifest that is no JSON": lambda made: (made.data.parent / "manifest.json").write_bytes(b"\xff\0"),
    "a manifest of another shape": lambda made: (made.data.parent / "manifest.json").write_text("[]"),
    "a manifest with a part missing": lambda made: rewrite(made, "pid", None),
    "another pid": lambda made: rewrite(made, "pid", 20002),
    "other facts": lambda made: rewrite(made, "facts", {}),
    "another kernel": lambda made: rewrite(made, "origin", dataclasses.asdict(ORIGIN) | {"kernel_sha256": "d"}),
}  # fmt: skip


def rewrite(made: Checkpoint, key: str, value: object) -> None:
    path = made.data.parent / "manifest.json"
    record = json.loads(path.read_text())
    if value is None:
        del record[key]
    else:
        record[key] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_dropped_and_can_be_made_again(
    store: CheckpointStore, tmp_path: Path, name: str
) -> None:
    neighbour = dataclasses.replace(ORIGIN, scenario="tcp")
    put(store, tmp_path, origin=neighbour)
    DAMAGE[name](put(store, tmp_path))
    assert store.get(ORIGIN) is None
    assert len(entries(store)) == 1
    assert store.get(neighbour) is not None
    assert put(store, tmp_path) == store.get(ORIGIN)


def test_the_index_may_not_lead_to_anothers_checkpoint(store: CheckpointStore, tmp_path: Path) -> None:
    other = put(store, tmp_path, origin=dataclasses.replace(ORIGIN, kernel_sha256="d"))
    put(store, tmp_path)
    (store._index / ORIGIN.key).write_text(other.manifest.address)
    assert store.get(ORIGIN) is None


@pytest.mark.parametrize("pointer", [b"", b".", b"..", b"../kernels", b"\xff\xfe", b"index", b"0" * 31])
def test_a_broken_index_leads_nowhere_and_costs_nothing_else(
    store: CheckpointStore, tmp_path: Path, pointer: bytes
) -> None:
    neighbour = dataclasses.replace(ORIGIN, scenario="tcp")
    put(store, tmp_path, origin=neighbour)
    put(store, tmp_path)
    (store._index / ORIGIN.key).write_bytes(pointer)
    assert store.get(ORIGIN) is None
    store.drop(ORIGIN)
    assert store.get(neighbour) is not None
    assert len(entries(store)) == 2
    assert not (store._index / ORIGIN.key).exists()


def test_damage_is_found_right_before_use(store: CheckpointStore, tmp_path: Path) -> None:
    made = put(store, tmp_path)
    made.verify()
    flip(made.data, 17)
    with pytest.raises(CheckpointDamaged, match="checksum"):
        made.verify()
    made.data.write_bytes(b"x")
    with pytest.raises(CheckpointDamaged, match="has 1 bytes, its manifest says 6000"):
        made.verify()
    made.data.unlink()
    with pytest.raises(CheckpointDamaged, match=r"checkpoint\.tar of cpu is gone"):
        made.verify()


def test_two_writers_of_one_origin_leave_one_whole_checkpoint(store: CheckpointStore, tmp_path: Path) -> None:
    def write(number: int) -> None:
        path = tmp_path / str(number)
        path.mkdir()
        put(store, path, data=bytes([number]) * 10_000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = store.get(ORIGIN)
    assert got is not None
    assert len(set(got.data.read_bytes())) == 1


def test_what_no_run_wants_any_more_is_pruned(store: CheckpointStore, tmp_path: Path) -> None:
    old = put(store, tmp_path)
    fresh = put(store, tmp_path, origin=dataclasses.replace(ORIGIN, run="r2"))
    long_ago = old.data.stat().st_mtime - 1000
    os.utime(old.data.parent, (long_ago, long_ago))
    store.prune(seconds=500)
    assert not old.data.exists()
    assert store.get(ORIGIN) is None
    assert store.get(fresh.manifest.origin) is not None
    assert entries(store) == {fresh.data.parent.name}
