"""Many calls: read in worker processes, judged together, kept in a folder that survives a crash."""
