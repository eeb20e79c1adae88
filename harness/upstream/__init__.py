"""Drafts of reports for the kernel's and CRIU's developers, made from a run's folder. Nothing is ever sent."""
