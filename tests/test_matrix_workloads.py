"""What a scenario is made of: its hash changes with all of it, since comparisons and checkpoints go by it."""

from __future__ import annotations

from pathlib import Path

from harness.matrix.workloads import load

OWN = """
from harness.scenario import Scenario
SCENARIO = Scenario(command=("bin/x",), sources=("x.c",), files=("data",))
"""
BUILT_ON = """
from pathlib import Path
from harness.matrix.workloads import load
_BASE = load(Path(__file__).with_name("base.py"))
SCENARIO = _BASE.scenario
"""


def test_a_scenario_changes_with_all_that_it_is_made_of(tmp_path: Path) -> None:
    files = {"base.py": OWN, "upper.py": BUILT_ON, "x.c": '#include "x.h"\n', "x.h": "", "data": "1"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    seen = {load(tmp_path / "upper.py").sha256}
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
        seen.add(load(tmp_path / "upper.py").sha256)
    assert len(seen) == len(files) + 1
    (tmp_path / "other").write_text("")
    assert load(tmp_path / "upper.py").sha256 in seen
