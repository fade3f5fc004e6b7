"""Past reports against the corrections that users made."""
