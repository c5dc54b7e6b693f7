"""Report, page and README on disk."""
