"""Batches, packing, fine-tuning and int8 layers of the transformer models."""
