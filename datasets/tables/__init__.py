"""A user's file as rows of texts and labels: one streaming reader."""
