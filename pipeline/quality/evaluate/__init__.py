"""What a store is worth: its mask against labels, streamed."""
