"""The ledger: whole lines whatever happens to the harness, and whatever a guest prints."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import ledgers
import pytest

from harness.matrix import ledger, schema
from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import FILE, Attempt, KernelIdentity, Ledger
from harness.report import frames, write

CELL = Cell("trixie", "cold", "redis", "debian-6.1", "debian-6.12")
DOCUMENT = Path(__file__).parent.parent / "docs" / "ledger.md"


def test_torn_tail_is_mended_before_the_next_line(tmp_path: Path) -> None:
    Ledger(tmp_path).append(ledgers.attempt(CELL))
    with (tmp_path / FILE).open("ab") as file:
        file.write('{"schema": 1, "cell": "trixie/co→'.encode()[:-1])
    assert [a.cell for a in ledger.read(tmp_path)] == [CELL]
    Ledger(tmp_path).append(ledgers.attempt(CELL, attempt=2))
    assert [a.attempt for a in ledger.read(tmp_path)] == [1, 2]
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 2


def test_torn_first_line_leaves_an_empty_ledger(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"schema"')
    Ledger(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b""
    assert list(ledger.read(tmp_path)) == []


def test_no_ledger_reads_as_empty(tmp_path: Path) -> None:
    assert list(ledger.read(tmp_path)) == []


def test_concurrent_appends_stay_whole(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    tried = [ledgers.attempt(CELL, attempt=n + 1, error="é" * 5000) for n in range(64)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book.append, tried))
    assert sorted(a.attempt for a in ledger.read(tmp_path)) == list(range(1, 65))
    assert all(a.error == "é" * 5000 for a in ledger.read(tmp_path))


@pytest.mark.parametrize("text", ledgers.HOSTILE, ids=range(len(ledgers.HOSTILE)))
def test_any_text_round_trips(tmp_path: Path, text: str) -> None:
    written = ledgers.attempt(CELL, Outcome.FAIL, error=f"a{text}\r\n\x85b", logs={"console": f"logs/{text}"})
    Ledger(tmp_path).append(written)
    assert list(ledger.read(tmp_path)) == [written]


def test_final_states_take_the_newest_last_word() -> None:
    other = replace(CELL, scenario="tcp")
    tried = [
        ledgers.attempt(CELL, Outcome.FAIL, final=False),
        ledgers.attempt(CELL, Outcome.FLAKY, attempt=2),
        ledgers.attempt(other, Outcome.FAIL, final=False),
    ]
    assert {cell: a.outcome for cell, a in ledger.final_states(tried).items()} == {CELL: Outcome.FLAKY}
    again = [*tried, ledgers.attempt(CELL, Outcome.PASS, attempt=3)]
    assert ledger.final_states(again)[CELL].attempt == 3


def test_synthetic_run_fits_the_schemas(tmp_path: Path) -> None:
    tried = list(ledgers.attempts(tuple(k for k, _, _ in ledgers.KERNELS), ledgers.SCENARIOS))
    write.write_reports(ledgers.write_run(tmp_path, tried))
    assert schema.check_run(tmp_path) == []


def test_schema_refuses_what_the_documentation_forbids(tmp_path: Path) -> None:
    line = ledgers.attempt(CELL).as_json()
    assert schema.problems(line, "ledger") == []
    for change in (
        {"outcome": "bad"}, {"phase": "lunch"}, {"attempt": 0}, {"logs": {"a": "../../etc/passwd"}},
        {"logs": {"a": "/etc/passwd"}}, {"extra": 1}, {"seconds": {"boot": -1}}, {"kernels": {}}, {"schema": 2},
    ):  # fmt: skip
        assert schema.problems({**line, **change}, "ledger"), change
    (tmp_path / FILE).write_text("no json\n")
    assert [text.split(":")[0] for text in schema.check_run(tmp_path)] == ["run.json", FILE]


def documented(heading: str) -> set[str]:
    section = re.split(r"^## ", DOCUMENT.read_text("utf-8"), flags=re.M)
    (text,) = [part for part in section if part.startswith(f"`{heading}`")]
    return set(re.findall(r"^\| `(\w+)` \|", text, re.M))


def test_keys_are_the_same_in_schema_document_and_code() -> None:
    line = set(schema.schema("ledger")["properties"])
    assert line == documented("results.jsonl")
    assert line == {field.name for kind in (Attempt, Cell) for field in fields(kind)} | {"schema"}
    assert line == set(ledgers.attempt(CELL).as_json())
    kernel = schema.schema("ledger")["$defs"]["kernel"]["properties"]
    assert set(kernel) == {field.name for field in fields(KernelIdentity)}
    assert set(schema.schema("run")["properties"]) == documented("run.json")
    matrix = schema.schema("matrix")
    assert set(matrix["properties"]) == documented("matrix.json")
    assert tuple(matrix["$defs"]["cell"]["properties"]) == frames.COLUMNS


_LATER: dict[str, set[str]] = {"ledger": {"dump_seconds"}}
"""Keys that came when there were runs already."""


@pytest.mark.parametrize("kind", get_args(schema.Kind))
def test_schemas_require_every_key(kind: schema.Kind) -> None:
    found = schema.schema(kind)
    assert sorted({*found["required"], *_LATER.get(kind, ())}) == sorted(found["properties"])
    assert not _LATER.get(kind, set()) & set(found["required"]), "runs from before must still be runs"
