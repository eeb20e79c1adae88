"""Verdicts for the page: in order, with their signs, and what each means in half a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from harness.report.marks import MARKS
from harness.verdict.verdict import Verdict

SIGNS: Mapping[Verdict, str] = {verdict: mark.glyph for verdict, mark in MARKS.items()}
MEANINGS: Mapping[Verdict, str] = {
    Verdict.STATE_CHANGED: "restored, and a check failed: nobody would have noticed",
    Verdict.KERNEL_CRASH: "a kernel died, hung or complained of itself",
    Verdict.CROSS_KERNEL_BREAKAGE: "each kernel restores its own, the move to the newer one fails",
    Verdict.DESTINATION_BROKEN: "the destination cannot even restore its own",
    Verdict.SOURCE_BROKEN: "the source cannot be dumped, or not even restore its own",
    Verdict.BACKWARD_ONLY: "only the move to the older kernel fails: it lacks what the newer one has",
    Verdict.UNDETERMINED: "fails, and the control that would say why is missing",
    Verdict.LAB_ERROR: "the lab broke; nothing is said of a kernel",
    Verdict.FLAKY: "failed once and passed once",
    Verdict.WORKLOAD_NEEDS: "could not be asked: something that it needs is not there",
    Verdict.COMPATIBLE: "the state arrived whole",
}
COUNTED: Mapping[Verdict, str] = {Verdict.WORKLOAD_NEEDS: "could not be asked"}
"""What is said of a number of cells, where the verdict's name would say nothing."""
BY_RANK = tuple(sorted(Verdict, key=lambda verdict: verdict.rank))
"""The best first: a verdict's place is its rank."""
