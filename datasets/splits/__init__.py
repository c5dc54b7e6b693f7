"""The data protocol: training, validation and test comments."""
