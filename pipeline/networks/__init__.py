"""How one network starts from another."""
