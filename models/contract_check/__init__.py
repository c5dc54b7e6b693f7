"""What `worthit check-model` tests."""
