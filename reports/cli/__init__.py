"""The `worthit` command."""
