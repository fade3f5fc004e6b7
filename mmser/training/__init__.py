"""Training of the default model, stage by stage."""
