"""Areas that are asked for."""
