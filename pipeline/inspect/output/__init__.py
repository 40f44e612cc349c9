"""What a network returns: its shape, its kind, and the operations that made it."""
