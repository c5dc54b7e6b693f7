"""Scripts beside the benchmark: tuning, timing the datasets."""
