"""Where comments come from: one file per dataset."""
