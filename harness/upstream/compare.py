"""Whether a restored process is the one that was checkpointed. A part of `repro.tar.gz`, and run there alone.

    compare.py CASE BEFORE AFTER

Ends with 0 if it came back whole, with 1 if it did not, with 125 if it was never asked before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.witness import assert_steady, assert_unharmed

WHOLE, CHANGED, UNTRIED = 0, 1, 125


def judge(case: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """What is wrong with the process, None if nothing is."""
    workload: Any = SimpleNamespace(own_pid=before["pid"])
    try:
        assert_unharmed(workload, before, after)
        if not case["own_check"]:
            assert_steady(before, after, case["moving"])
    except AssertionError as error:
        return str(error)
    return None


def main(arguments: list[str]) -> int:
    """The program."""
    case, before, after = (Path(name) for name in arguments)
    try:
        asked = json.loads(case.read_text()), json.loads(before.read_text())
    except (OSError, ValueError) as error:
        return _end(UNTRIED, f"cannot be tried: {error}")
    try:
        answer = json.loads(after.read_text())
    except (OSError, ValueError):
        return _end(CHANGED, "FAILS, restored, and the process does not answer")
    wrong = judge(*asked, answer)
    if wrong is not None:
        return _end(CHANGED, f"FAILS, restored, and it is not what was checkpointed: {wrong}")
    partly = (
        " (as far as it says itself: its scenario checks more than this)" if asked[0]["own_check"] else ""
    )
    return _end(WHOLE, f"works, it came back whole{partly}")


def _end(code: int, words: str) -> int:
    sys.stdout.write(f"reproduce: {words}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
