"""The kernel interfaces that CRIU depends on, probed without CRIU, kernel by kernel, and what differs between two."""
