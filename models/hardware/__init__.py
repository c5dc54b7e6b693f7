"""Devices, processor and memory allocation."""
