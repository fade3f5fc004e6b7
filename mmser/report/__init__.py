"""Predictions → CallReport → terminal, HTML, tables and other formats; never imports torch."""
