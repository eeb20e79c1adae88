"""The kernel interfaces that CRIU depends on, probed without CRIU, kernel by kernel, and what differs between two."""

FOLDER = "surface"
"""In a run's folder, and beside the runs: one record a kernel, `LABEL.json`."""
