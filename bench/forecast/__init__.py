"""How long a run will take, and what it needs, before its first cell."""
