"""What damaged sound and words cost."""
