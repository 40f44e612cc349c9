"""Items: addresses, what they say, and how they are asked for."""
