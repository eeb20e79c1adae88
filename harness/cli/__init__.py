"""The front door: `kmatrix` and its commands, one module a group, no logic of their own."""

from harness.cli.program import app, main

__all__ = ["app", "main"]
