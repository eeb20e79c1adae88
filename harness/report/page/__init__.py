"""`index.html`: the matrix as one self-contained page, useful without its script and safe whatever a guest printed."""

from harness.report.page.render import FILE, render

__all__ = ["FILE", "render"]
