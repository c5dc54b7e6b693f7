"""Latency, throughput, memory, energy, the machine, and their check."""
