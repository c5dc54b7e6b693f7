"""Cells on the nodes of a Ray cluster, which Ray schedules; each has a node to itself."""
