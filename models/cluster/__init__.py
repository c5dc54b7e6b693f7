"""A Ray cluster: connecting to it, its nodes, and what they must have in common."""
