"""Text classifiers: fit, score, save, load. One file per model."""
