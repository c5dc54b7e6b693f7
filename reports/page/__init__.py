"""A page to explore saved runs: static HTML without a server or requests."""
