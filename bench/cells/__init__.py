"""A cell's processes, and what they can be asked."""
