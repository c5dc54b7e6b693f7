"""Rows of values as texts and labels: which column is which, and which label is which class."""
