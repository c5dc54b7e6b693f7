"""Whether the data can be trusted: copies, label noise, personal data."""
