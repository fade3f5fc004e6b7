"""Models, datasets and Spaces for others: what may be published, their cards, and that they work there."""
