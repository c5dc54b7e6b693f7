"""The speed comparison with other implementations."""
