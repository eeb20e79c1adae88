"""CRIU's own test suite (ZDTM), each test dumped on one kernel and restored on another."""

from harness.suites.zdtm.suite import NAME, Suite, open_suite

__all__ = ["NAME", "Suite", "open_suite"]
