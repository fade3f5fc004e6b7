"""mmser: how the people on a recorded call sound and speak, turn by turn."""

__version__ = "0.1.0"
