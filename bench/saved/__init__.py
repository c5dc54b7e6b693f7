"""The saved run: record, file, consistency, trained models."""
