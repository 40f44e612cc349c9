"""Training: from a config with labels to weights that run takes."""
