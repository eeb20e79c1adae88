"""Debian's archive, through a private apt: the host is not changed and its hooks do not run."""

from harness.archive.apt import Apt, Package
from harness.archive.mirrors import Mirrors, read_mirrors
from harness.archive.sources import Source, source_lines, sources

__all__ = ["Apt", "Mirrors", "Package", "Source", "read_mirrors", "source_lines", "sources"]
