"""Batches, packing, fine-tuning and runtimes of the transformer models."""
