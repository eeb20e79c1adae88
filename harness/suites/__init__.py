"""Tests that others wrote, run as scenarios."""
