"""Large inputs in, scores out."""
