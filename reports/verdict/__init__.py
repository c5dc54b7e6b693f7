"""The rules of the verdict, and its sentences."""
