"""pytest's entry: `pytest scenarios` runs the quick profile, `pytest` alone the project's own tests."""

pytest_plugins = ["harness.pytest_plugin"]
