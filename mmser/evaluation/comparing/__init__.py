"""Two ways to answer the same rows."""
