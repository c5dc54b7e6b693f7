"""Statistical methods on arrays of scores and labels, without a run."""
