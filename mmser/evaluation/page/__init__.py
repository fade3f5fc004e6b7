"""The result of an evaluation, to be read."""
