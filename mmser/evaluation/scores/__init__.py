"""What is said against what is so: metrics, each with its interval."""
