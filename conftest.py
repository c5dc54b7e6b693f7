"""Gives `pytest bench/` its options, cells and saved run."""

pytest_plugins = ("worthit.reports.cli.pytest_plugin",)
