"""Saved runs to Markdown."""
