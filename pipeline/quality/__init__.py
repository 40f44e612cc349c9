"""What a store is worth: verified against its own network, and evaluated against labels."""
