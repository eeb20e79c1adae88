"""kmatrix: checkpoint a workload with CRIU on kernel A, restore it on kernel B, and say what became of it."""

__version__ = "0.1.0"
