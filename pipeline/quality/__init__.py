"""What a store is worth: proved against its own network, and judged against labels."""
